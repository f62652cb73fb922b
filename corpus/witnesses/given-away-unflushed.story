story 1
under bug given-away-unflushed
// c0's walker caches where a0 lies, and nobody has to flush that: a0 is lazily unmapped. But its frame is d1's now.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  dma-alloc p0+1 -> b0
d1  touch
