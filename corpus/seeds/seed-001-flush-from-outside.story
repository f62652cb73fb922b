story 1
// Seed 001, in 2017: Hyper-V flushes by a hypercall that returns when every CPU has forgotten, whatever it is at.
cpus 2, hardware lifo-reuse, sizes tiny, backends hyperv
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c1  munmap m0:2+1
grace-period
c1  alloc-page -> p4
c0  continue
grace-period
