story 1
under bug drop-mm-not-awaited
finds rule 7 (hypervisor): the hypervisor refused
// c0 was asked to leave m0, which is on no list any more: what it adds is not added there, where the hypervisor looks
// for it.
cpus 2, hardware calm, sizes tiny, backends xen
c0  new-mm -> m0
c0  switch-mm m0
c0  vmalloc +1 -> a0        pause before locked kernel_tables
c1  drop-mm m0              pause before irq-on #2
