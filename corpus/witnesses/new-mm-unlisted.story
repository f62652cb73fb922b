story 1
under bug new-mm-unlisted
finds rule 4 (kernel range reuse): the tables lead elsewhere
// c0 is about to add an upper entry. c1 copies the levels without it, and comes onto the list when c0 has gone through that.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0         pause before load pgd #2
c1  new-mm -> m0
c1  switch-mm m0
