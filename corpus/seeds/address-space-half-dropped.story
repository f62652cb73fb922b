story 1
// c0 has taken m0 off the list. What m0 leads to counts as a table with the hypervisor until m0 is unpinned.
cpus 2, hardware lifo-reuse, sizes tiny, backends xen
c0  dma-alloc p0+4 -> b0    pause before locked kernel_tables
c1  new-mm -> m0
c0  drop-mm m0              pause before locked kernel_tables #2
c1  new-mm -> m1
c1  new-mm -> m2
