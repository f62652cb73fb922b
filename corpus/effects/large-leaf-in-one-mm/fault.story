story 1
under bug large-leaf-in-one-mm
finds rule 1 (outcome): access to a live mapping faulted
// m0 copies the entry while a0 is read-only, and keeps it when it is no more: c0 may write, and faults.
cpus 1, hardware calm, sizes tiny, backends native
c0  vmalloc-huge +1 -> a0
c0  set-memory-ro a0
c0  new-mm -> m0
c0  switch-mm m0
c0  set-memory-rw a0
c0  write a0+0
