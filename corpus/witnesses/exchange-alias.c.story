story 1
under bug exchange-alias.c
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// As the entry of b0 is zapped, c1's walker caches it. It leads to the frame that was given away.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+1 -> b0
