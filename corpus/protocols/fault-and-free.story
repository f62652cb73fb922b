story 1
// A thread faults at a page of a table that another CPU empties and frees, while its addresses stay mapped.
// setup 3
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:12+2 anonymous writable
c0  store m0:12
c0  store m0:13
c1  dontneed m0:12+2
c1  free-tables m0:12+2
grace-period
c1  alloc-page -> p4
c1  alloc-page -> p5
c0  continue
c1  continue
c0  load m0:13
