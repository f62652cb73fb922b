story 1
under bug drop-before-store
finds rule 7 (hypervisor): a CPU can write a page table
// c0 has dropped the reference to p1 and not cleared the entry: p1 becomes a table while it leads there. The walkers come by as
// it is cleared after all.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p0 1
c0  hv-update p0+0 -> p1 writable
c0  hv-update p0+0 empty    pause before locked pte
c1  hv-pin p1 1
