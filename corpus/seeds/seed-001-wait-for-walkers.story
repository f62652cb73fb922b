story 1
// Seed 001: another way, without grace periods. The flush is broadcast where CPUs can do that. Before the table is freed
// c1 interrupts every CPU with an empty handler: c0 answers when its walk is over.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv, designs table_free=sync-then-free walker_wait=sync-ipi flush_reach=broadcast
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c0  host-preempt
c1  munmap m0:2+1
c1  alloc-page -> p4
c0  continue
