story 1
// Seed 001 on KVM, whose host takes no CPU away here: the flush is one by interrupts, and c0 answers when its walk is over.
cpus 2, hardware lifo-reuse, sizes tiny, backends kvm
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c1  munmap m0:2+1
c1  alloc-page -> p4
c0  continue
