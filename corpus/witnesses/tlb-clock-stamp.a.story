story 1
under bug tlb-clock-stamp.a
finds rule 7 (hypervisor): a CPU can write a page table
// c0 has read the clock and not cleared the entry yet. Everybody flushes, the walkers come by the entry once more as it
// is cleared, and c0 stores the time of before.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0               pause before locked pte
c1  hv-flush
c0  make-table p0
