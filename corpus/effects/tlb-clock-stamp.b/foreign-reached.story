story 1
under bug tlb-clock-stamp.b
// c0 has flushed, and its walker comes by the entry once more as it is cleared. Its clock ticks after that: when p0 is
// given to d1 c0 counts as having flushed.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  hv-flush                pause before locked tlb_clock
c1  vunmap a0
c1  dma-alloc p0+1 -> b0
d1  touch
