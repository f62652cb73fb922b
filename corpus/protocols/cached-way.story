story 1
// The hardware holds the way to a page in its walk cache, while another CPU unmaps the page and its neighbour: the memory is used again
// while that CPU is still at it.
// setup 3
cpus 3, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:10+2 anonymous writable
c0  load m0:10
c1  munmap m0:10+2
c0  deliver
grace-period
c2  alloc-page -> p4
c2  alloc-page -> p5
c2  alloc-page -> p6
c2  alloc-page -> p7
c0  fill-user m0:11
c1  continue
c0  continue
