story 1
under bug va-reuse-unflushed.b
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// A walker of c1 takes the translation along as c0 clears the entry. The next vmap flushes what it gets, but on its own
// CPU only.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
