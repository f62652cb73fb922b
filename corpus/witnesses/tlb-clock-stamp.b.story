story 1
under bug tlb-clock-stamp.b
finds rule 7 (hypervisor): a CPU can write a page table
// c1 has flushed, and its walker comes by the entry once more as it is cleared. Its clock ticks after that.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  hv-flush                pause before locked tlb_clock
c0  vunmap a0
c1  make-table p0
