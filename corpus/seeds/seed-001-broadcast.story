story 1
// Seed 001, on the hardware of 2025: native flushes by a broadcast, and no CPU is interrupted. After a grace period tables are freed
// safely all the same.
cpus 2, hardware lifo-reuse, sizes tiny, backends native, designs flush_reach=broadcast
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c1  munmap m0:2+1
grace-period
c1  alloc-page -> p4
c0  continue
grace-period
