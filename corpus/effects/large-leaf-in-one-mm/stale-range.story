story 1
under bug large-leaf-in-one-mm
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// a0 goes from the kernel's own tables and not from the copy in m0: a walker brings it back after the flush, and r0
// gets the range.
cpus 1, hardware eager-walkers, sizes small, backends native
c0  vmalloc-huge +1 -> a0
c0  new-mm -> m0
c0  switch-mm m0
c0  vfree a0
c0  map-ram p0+1 -> r0
