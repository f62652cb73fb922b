story 1
under bug drop-mm-not-awaited
finds rule 6 (frames): a walk went through a freed table
// c1 was asked to leave m0, and the interrupt is still to come. c0 takes for a table of its own a page that m0's tables
// have given back.
cpus 3, hardware lifo-reuse, sizes tiny, backends xen
c0  vmalloc +1 -> a0        pause before irq-on #3
c1  new-mm -> m0
c1  switch-mm m0
c2  drop-mm m0              pause before locked zone_lock #3
