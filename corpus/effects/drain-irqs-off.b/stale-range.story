story 1
under bug drain-irqs-off.b
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// c1's drain flushes c1 and gives the range back. c0, whose walker has cached a0 as that was unmapped, maps r0 there.
cpus 2, hardware eager-walkers, sizes tiny, backends native
c0  vmap p1+1 -> a0
c0  map-ram p0+2 -> r0      pause before locked free_area_lock
c1  vunmap a0
c1  drain-aliases irqs-off
