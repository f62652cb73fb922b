story 1
// Seed 001: a hook of the platform frees tables with the pages on native, and after a grace period on the others.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv, designs table_free=hook
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c0  host-preempt
c1  munmap m0:2+1
grace-period
c1  alloc-page -> p4
c0  continue
grace-period
