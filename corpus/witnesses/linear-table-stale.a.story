story 1
under bug linear-table-stale.a
// c0's buffer comes to nothing. c1, which maps a0, gives back the table that was there for the two of them, and gets another:
// c0 remembers the way to the old one, and clears the entry of a0 by that in the end.
cpus 2, hardware calm, sizes small, backends native xen
c0  dma-alloc p0+4 -> b0    pause before role
c1  vmalloc +1 -> a0        pause before irq-on #2
