story 1
under bug type-change-unflushed
finds rule 7 (hypervisor): a CPU can write a page table
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p1 1
c0  hv-update p1+0 -> p0 writable
c0  hv-update p1+0 empty
c0  hv-pin p0 1
