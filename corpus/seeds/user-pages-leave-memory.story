story 1
// Pages of an object leave memory and come back with what they held; a pinned one stays.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  new-object +2 -> o0
c0  mmap m0:0+2 shared o0+0 writable
c0  mmap m0:4+2 private o0+0 writable
c0  store m0:0
c0  store m0:1
c1  store m0:5
c0  reclaim o0
c1  load m0:0
c1  load m0:5
c0  gup-fast m0:1+1 writable -> g0
c1  store m0:0
c0  reclaim o0
c0  pin-write g0+0
c1  load m0:1
c1  load m0:4
c0  mremap m0:0+2 to :8
c1  reclaim o0
c1  load m0:8
c0  unpin g0
c0  drop-mm m0
c0  reclaim o0
