story 1
under bug linear-table-stale.b
// The table of a0 is freed by c0, which forgets the way to it. c1 does not, and writes to what a1 has in its place by the old.
cpus 2, hardware calm, sizes tiny, backends native xen
c1  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases
c1  vmap p0+1 -> a1
