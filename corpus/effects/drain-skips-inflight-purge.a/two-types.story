story 1
under bug drain-skips-inflight-purge.a
// c1 purges. c0's own drain before the change finds it purging and returns: the page is remembered write-back by the
// address of the area that had it before.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc +1 -> a0
c0  set-memory-wc a0        pause before locked purge_lock
c1  drain-aliases           pause before locked kernel_tables
