story 1
// The hardware holds the way to a page in its walk cache, and its CPU answers the flush: the CPU that unmaps is through with it before the
// memory is used again.
// setup 3
cpus 3, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:1+3 anonymous writable
c0  load m0:2
c1  munmap m0:2+2
c0  deliver
c1  continue
grace-period
c2  alloc-page -> p4
c2  alloc-page -> p5
c0  fill-user m0:3
c0  continue
