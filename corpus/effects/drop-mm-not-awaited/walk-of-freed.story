story 1
under bug drop-mm-not-awaited
// c0 was asked to leave m0 and has not when its tables are freed. It reads by way of them.
cpus 2, hardware calm, sizes tiny, backends native
c0  new-mm -> m0
c0  switch-mm m0
c0  vmap p0+1 -> a0
c1  drop-mm m0              pause before irq-off
c0  read a0+0
