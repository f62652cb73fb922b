story 1
// Seed 001, since 2023: c0 faults and reads an entry without the lock of its table, as a reader. c1 frees the table, by itself, under
// the locks of tables alone; it waits for c0's section, and for nothing else.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv, designs table_free=one-deferred
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  load m0:2               pause before load pte
c1  free-tables m0:2+1
grace-period
c1  alloc-page -> p4
c0  continue
c0  load m0:2
