story 1
under bug dirty-cow
finds rule 1 (outcome): read a value that was never possible
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  new-object +1 -> o0
c0  mmap m0:0+1 private o0+0 readable
c0  load m0:0
c0  gup-forced m0:0+1 -> g0  pause before load pmd #7
c1  dontneed m0:0+1
c0  continue
c0  pin-write g0+0
c0  mmap m0:1+1 shared o0+0 readable
c0  load m0:1
