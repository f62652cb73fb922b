story 1
under bug drop-mm-not-awaited
// c0 was asked to leave m0, and the interrupt is still to come. m0 is on no list any more, and c0 maps what it cannot
// reach.
cpus 2, hardware calm, sizes tiny, backends native
c0  new-mm -> m0
c0  switch-mm m0
c1  drop-mm m0              pause before irq-on
c0  vmap p0+1 -> a0
