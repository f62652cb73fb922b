story 1
under bug va-reuse-unflushed.a
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// A walker caches where a0 lies. The drain gives the range back without a flush, and the next vmap gets it.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
