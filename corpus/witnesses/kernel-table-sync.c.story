story 1
under bug kernel-table-sync.c
finds rule 4 (kernel range reuse): the tables lead elsewhere
// c1 is in an address space that never hears of what c0 maps.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c1  switch-mm m0
c0  vmap p0+1 -> a0
