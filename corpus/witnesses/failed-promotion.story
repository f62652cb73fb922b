story 1
under bug failed-promotion
finds rule 10 (rest): a frame of a guest that is gone cannot be taken back
// The entry that leads to p1 is fine, the next one is not.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  hv-update p0+0 -> p1 writable
c0  hv-update p0+1 -> foreign readable
c0  hv-pin p0 1
