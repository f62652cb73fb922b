story 1
// The direct map was cached before its page was given to the area whose permissions change: until the flush a CPU may
// write by what it has, as it could had it cached it since.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c1  read-direct a0+0
c0  vfree a0
c0  vmalloc +1 -> a0
c0  set-memory-ro a0        pause before store flush_info #3
c1  write-direct a0+0
