story 1
under bug new-mm-unlisted
finds rule 7 (hypervisor): the hypervisor refused
// c1 is about to add an upper entry. c0 copies the levels without it, and the hypercall for r0, beneath the same entry,
// goes by them.
cpus 2, hardware calm, sizes tiny, backends xen
c1  vmap p0+1 -> a0         pause before role #4
c0  new-mm -> m0
c0  switch-mm m0
c0  map-ram p0+1 -> r0
