story 1
under bug va-reuse-unflushed.b
// The vmap flushes what it gets, but on its own CPU only; it is c1 that has the old translation.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
