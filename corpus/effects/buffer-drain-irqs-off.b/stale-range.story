story 1
under bug buffer-drain-irqs-off.b
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// c1's drain flushes c1 and gives the range back. r0 gets it on c0, whose walker has cached b0 as that was freed.
cpus 2, hardware eager-walkers, sizes tiny, backends native
c0  dma-alloc p1+1 -> b0
c0  dma-free b0             pause before store lazy_lock
c1  drain-aliases irqs-off
c0  map-ram p0+1 -> r0
