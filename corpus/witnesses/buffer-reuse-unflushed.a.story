story 1
under bug buffer-reuse-unflushed.a
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// b0 is freed with interrupts off, so that nobody flushes for it. A walker has cached where it lay; the drain gives the range
// back without a flush, and the next vmap gets it.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+4 -> b0
c0  dma-free b0
c0  drain-aliases
c0  vmap p1+1 -> a0
