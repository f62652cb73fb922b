story 1
// Seed 001: under Xen the flush is over while c0 is in the middle of its walk. The table waits for a grace period, which c0 holds up
// with its interrupts off; the next page that is allocated is another one.
cpus 2, hardware lifo-reuse, sizes tiny, backends xen
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c1  munmap m0:2+1
grace-period
c1  alloc-page -> p4
c0  continue
grace-period
