story 1
under bug type-conflict
finds rule 7 (hypervisor): an entry lets a page table be written
// The first entry of p0 leads to p0, and whoever writes there writes a page table.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  hv-pin p0 1
c0  hv-update p0+0 -> p0 writable
