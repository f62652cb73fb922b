story 1
under bug kernel-table-sync.b
finds rule 7 (hypervisor): the hypervisor refused
// The tables of m0 lack the upper entry, and the hypercall that is to set the lowest one goes by them.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c0  switch-mm m0
c0  vmap p0+1 -> a0
