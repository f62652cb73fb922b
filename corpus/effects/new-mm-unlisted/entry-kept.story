story 1
under bug new-mm-unlisted
// c0 has gone through the list. c1 copies the levels without the upper entry: the hypercall that is to clear the lowest
// one goes by them.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  map-ram p0+1 -> r0      pause before load count_info #3
c1  new-mm -> m0
c0  switch-mm m0
c0  unmap-ram r0
