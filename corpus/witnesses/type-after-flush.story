story 1
under bug type-after-flush
finds rule 7 (hypervisor): a CPU can write a page table
// p0 could be written to once, and is nothing now. c0 has had every CPU forget it, and is about to take it for a table: c1 maps it
// writable, the walkers come by the entry as it is cleared, and p0 is what it was before.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-update p0+0 empty
c0  hv-pin p1 1
c0  hv-pin p0 1             pause before locked type_info
c1  hv-update p1+0 -> p0 writable
c1  hv-update p1+0 empty
