story 1
under bug new-mm-unlisted
finds rule 1 (outcome): access to a live mapping faulted
// c0 has gone through the list. c1 copies the levels without the upper entry of a0, and comes onto the list too late
// for it.
cpus 2, hardware calm, sizes tiny, backends xen
c0  vmap p0+1 -> a0         pause before load count_info
c1  new-mm -> m0
c0  switch-mm m0
c0  read a0+0
