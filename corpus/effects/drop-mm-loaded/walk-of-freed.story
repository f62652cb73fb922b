story 1
under bug drop-mm-loaded
finds rule 6 (frames): a walk went through a freed table
// c1 counts as being out of m0 and has not loaded the other root yet. It fills its TLB by way of the root that was
// freed.
cpus 2, hardware calm, sizes tiny, backends native
c0  vmap p0+1 -> a0
c0  new-mm -> m0
c1  switch-mm m0
c1  switch-mm init          pause before cr3
c0  drop-mm m0
c1  fill a0+0
