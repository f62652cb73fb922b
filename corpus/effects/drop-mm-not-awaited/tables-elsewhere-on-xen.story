story 1
under bug drop-mm-not-awaited
finds rule 4 (kernel range reuse): the tables lead elsewhere
// c2 was asked to leave m0, and the interrupt is still to come. m0 is on no list any more, and what c0 maps is not
// there.
cpus 3, hardware calm, sizes tiny, backends xen
c0  new-mm -> m0
c2  switch-mm m0
c1  drop-mm m0              pause before load count_info
c0  vmalloc +1 -> a0
