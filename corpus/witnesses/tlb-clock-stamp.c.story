story 1
under bug tlb-clock-stamp.c
// c0 flushes at the last time of a round and c1 at the wrap. The walkers keep the way to p0 in the round that follows.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-flush
c0  hv-flush
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  make-table p0
