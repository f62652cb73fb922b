story 1
// The kernel reads and writes user memory for a thread, with and without interrupts, and pins pages by faults alone.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:0+2 anonymous writable
c0  copy-from-user m0:0 irqs-off
c0  copy-to-user m0:0
c1  load m0:0
c1  copy-from-user m0:0 irqs-off
c1  copy-to-user m0:1
c0  mprotect m0:0+1 readable
c1  copy-to-user m0:0
c1  gup m0:0+2 writable -> g0
c1  gup m0:0+2 readable -> g1
c0  munmap m0:0+1
c0  copy-from-user m0:0
c1  pin-read g1+0
c1  unpin g1
c1  new-object +1 -> o0
c1  mmap m0:4+1 private o0+0 readable
c1  mmap m0:5+1 shared o0+0 writable
c1  gup-forced m0:4+2 -> g1
c1  pin-write g1+0
c1  load m0:4
c1  load m0:5
