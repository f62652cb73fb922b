story 1
under bug buffer-reuse-unflushed.b
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// A walker of c1 has cached where b0 lay. The next vmap flushes what it gets, but on its own CPU only.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+4 -> b0
c0  dma-free b0
c0  drain-aliases
c0  vmap p1+1 -> a0
