story 1
under bug drain-skips-inflight-purge.a
// c1 purges for an address space. The drain before the change finds it purging and returns: the page is remembered
// writable by the address of the area that had it before.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc +1 -> a0
c1  new-mm -> m0            pause before locked lazy_lock
c0  set-memory-ro a0
