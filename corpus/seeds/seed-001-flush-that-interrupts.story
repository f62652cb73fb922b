story 1
// Seed 001: the same on every platform, if each flushes by interrupts of the kernel's own. So it is the flush that counts, and not
// the platform; a CPU that its host took away holds up the flush until it runs again.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv, designs table_free=with-pages flush_reach=ipi
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c0  host-preempt
c1  munmap m0:2+1
c1  alloc-page -> p4
c0  continue
