story 1
under bug freed-as-region
// Freed as a region b2 offers the frame of b1, which is refused, and p3 is left with it: what is written to b1 is in p3 too.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+2 -> b0
c0  dma-alloc p2+1 -> b1
c0  dma-free b0
c0  dma-alloc-wide p0+3 -> b2
c0  dma-free b2
c0  write b1+0
