story 1
// A thread pins a page by a walk without a lock, while another CPU moves the page with its whole table. Another page comes behind its entry.
// setup 3
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:0+3 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0
c0  host-preempt
c1  mremap m0:2+1 to :6
c1  dontneed m0:6+1
c1  store m0:6
c0  continue
c1  continue
c0  pin-read g0+0
c0  unpin g0
