story 1
under bug kernel-table-sync.b
finds rule 10 (rest): the kernel found itself broken: the platform does not let attributes be changed
// The tables of m0 lack the upper entry, and the hypercall that is to change the lowest one goes by them.
cpus 2, hardware calm, sizes tiny, backends xen
c0  new-mm -> m0
c0  switch-mm m0
c1  vmalloc +1 -> a0
c0  set-memory-wc a0
