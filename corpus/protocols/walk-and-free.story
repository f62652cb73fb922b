story 1
// A thread pins a page by a walk without a lock, while another CPU unmaps it. The page and its three tables are used again.
// setup 4
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:10+1 anonymous writable
c0  store m0:10
c1  load m0:10
c0  gup-fast m0:10+1 readable -> g0
c0  host-preempt
c1  munmap m0:10+1
grace-period
c1  alloc-page -> p4
c1  alloc-page -> p5
c1  alloc-page -> p6
c1  alloc-page -> p7
c0  continue
c1  continue
c0  pin-read g0+0
c0  unpin g0
