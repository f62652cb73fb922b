story 1
under bug table-freed-at-once.a
finds rule 6 (frames): a walk went through a freed table
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:10+2 anonymous writable
c0  load m0:10
c1  munmap m0:10+2          pause before fence
c0  fill-user m0:11
