story 1
under bug drop-mm-listed
finds rule 4 (kernel range reuse): the tables lead elsewhere
// c0 has freed the root of m0 when c1 takes it for m1: it is on the list as m0 yet and is taken off as m0, and m1 is no
// longer kept in step.
cpus 2, hardware lifo-reuse, sizes tiny, backends native
c0  new-mm -> m0
c0  drop-mm m0              pause before store zone_lock
c1  new-mm -> m1
c0  switch-mm m1
c0  map-ram p0+1 -> r0
