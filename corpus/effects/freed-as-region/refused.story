story 1
under bug freed-as-region
finds rule 7 (hypervisor): the hypervisor refused
// Freed as a region the buffer leaves p2 with the frame that comes after the low ones. The second time that frame has become
// another page's of the buffer: it is offered twice, and the second time it is nobody's.
cpus 1, hardware calm, sizes tiny, backends xen
c0  dma-alloc-wide p0+3 -> b0
c0  dma-free b0
c0  dma-alloc-wide p0+3 -> b0
c0  dma-free b0
c0  dma-alloc p0+3 -> b0
