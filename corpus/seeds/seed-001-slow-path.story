story 1
// Seed 001, its last question: no walk without a lock. c0 walks with mmap_lock held to read, so that c1 waits before it unhooks
// anything. Tables may be freed with the pages, however far the flush reaches.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv, designs table_free=with-pages walk_guard=slow-only
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c0  host-preempt
c1  munmap m0:2+1
c1  alloc-page -> p4
c0  continue
c0  pin-read g0+0
