story 1
// m0 has a copy of the large entry, and nobody has loaded it while the memory type changes. Who loads it then gets no other.
cpus 1, hardware calm, sizes tiny, backends native
c0  vmalloc-huge +1 -> a0
c0  new-mm -> m0
c0  set-memory-wc a0
c0  switch-mm m0
