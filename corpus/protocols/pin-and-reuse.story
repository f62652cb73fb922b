story 1
// A thread pins a page by a walk without a lock, while another CPU unmaps it. Its table stays, and the page comes behind the next address.
// setup 3
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:12+2 anonymous writable
c0  store m0:12
c0  gup-fast m0:12+1 readable -> g0
c0  host-preempt
c1  munmap m0:12+1
c1  store m0:13
c0  continue
c1  continue
c0  pin-read g0+0
c0  unpin g0
