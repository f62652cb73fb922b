story 1
under bug new-mm-unlisted
finds rule 10 (rest): the kernel found itself broken: the platform does not let attributes be changed
// c0 has copied the levels. c1 adds an upper entry that m0, on no list yet, does not get: the hypercall that is to
// change the lowest one goes by them.
cpus 2, hardware calm, sizes tiny, backends xen
c0  new-mm -> m0            pause before locked kernel_tables
c1  vmalloc +1 -> a0
c0  switch-mm m0
c0  set-memory-ro a0
