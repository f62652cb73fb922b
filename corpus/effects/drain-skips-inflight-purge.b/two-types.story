story 1
under bug drain-skips-inflight-purge.b
// c0 has counted off what it collected and flushed nothing yet. c1's drain before the change sees nothing outstanding:
// the page is remembered write-back by the address of the area that had it before.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc +1 -> a1
c0  drain-aliases           pause before irq-on
c1  set-memory-wc a1
