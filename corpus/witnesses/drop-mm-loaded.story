story 1
under bug drop-mm-loaded
finds rule 4 (kernel range reuse): the tables lead elsewhere
// c1 counts as being out of m0 and has not loaded the other root yet: nobody waits for it, and it stands on a root that is
// anybody's page.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c1  switch-mm m0
c1  switch-mm init          pause before cr3
c0  drop-mm m0
c0  vmap p0+1 -> a0
