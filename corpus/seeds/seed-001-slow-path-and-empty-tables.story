story 1
// Seed 001, since 2023: an empty table is freed while its addresses stay mapped, with mmap_lock held to read as by c0. c0 has found
// its way to the table, locks it, and looks again whether it is one still.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv, designs walk_guard=slow-only
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  dontneed m0:2+1
c0  gup-fast m0:2+1 readable -> g0  pause before locked pte_lock
c1  free-tables m0:2+1
grace-period
c1  alloc-page -> p4
c0  continue
c0  pin-read g0+0
