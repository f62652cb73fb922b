story 1
under bug new-mm-unlisted
// c0 is about to add the leaf of a0. c1 copies the levels without it, comes onto the list when c0 has gone through
// that, and m0 lacks it.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmalloc-huge +1 -> a0   pause before role #4
c1  new-mm -> m0
c0  switch-mm m0
c0  read a0+0
