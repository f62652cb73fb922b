story 1
// Pages are pinned without a lock while another CPU unmaps them; the memory is used again, and the tables go.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  new-mm -> m0
c0  mmap m0:0+2 anonymous writable
c0  store m0:0
c1  gup-fast m0:0+2 writable -> g0
c1  pin-write g0+0
c0  load m0:0
c0  munmap m0:0+1
c1  pin-read g0+0
c1  unpin g0
c1  gup-fast m0:1+1 readable -> g0 irqs-off  pause before locked page_ref
c0  munmap m0:1+1
c0  mmap m0:1+1 anonymous writable
c0  store m0:1
c1  fill-user m0:1
grace-period
c0  alloc-page -> p4
c1  continue
c1  pin-read g0+0
c0  dontneed m0:0+2
c0  free-tables m0:0+2
c1  fill-user m0:1
c1  unpin g0
