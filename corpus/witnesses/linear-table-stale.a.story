story 1
under bug linear-table-stale.a
// The table of a0 is freed with it. The table that a1 gets in its place is written to by way of the old one.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases
c0  vmap p0+1 -> a1
