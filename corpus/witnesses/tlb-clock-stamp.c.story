story 1
under bug tlb-clock-stamp.c
finds rule 7 (hypervisor): a CPU can write a page table
// One flush on all four CPUs brings the clock past its wrap. c0, c1 and c2 keep times of the round before.
cpus 4, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-flush
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  make-table p0
