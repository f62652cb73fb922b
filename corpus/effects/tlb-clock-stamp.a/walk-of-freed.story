story 1
under bug tlb-clock-stamp.a
finds rule 6 (frames): a walk went through a freed table
// As p3 stops leading to p2 a walker goes by the old entry once more, and the time stored for p2 is from before the
// flush that p0 had asked for: p2 becomes data, and the way through it is remembered.
cpus 1, hardware eager-walkers, sizes tiny, backends xen
c0  hv-pin p3 2
c0  hv-update p0+0 -> p0 readable
c0  hv-update p3+0 -> p2 readable
c0  hv-update p3+0 -> p0 writable
c0  hv-update-va p3+0 -> p2 writable
