story 1
under bug large-leaf-in-one-mm
// m0 copies the entry while a0 is executable. As a0 goes its pages become writable again in the direct map.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmalloc-huge +1 -> a0
c0  set-memory-rox a0
c0  new-mm -> m0
c0  switch-mm m0
c0  vfree a0
