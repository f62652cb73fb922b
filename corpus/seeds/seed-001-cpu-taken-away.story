story 1
// Seed 001 on KVM: c1 interrupts the CPUs that run, and leaves a request to the one that does not. That one is in the middle of a
// walk, and holds up the grace period as if it ran.
cpus 2, hardware lifo-reuse, sizes tiny, backends kvm
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c0  host-preempt
c1  munmap m0:2+1
grace-period
c1  alloc-page -> p4
c0  host-enter
c0  continue
grace-period
