story 1
under bug exchange-alias.b
// b1 gets a frame of b0. The exchange by which b0 is to give it back is refused, and b0's owner clears a frame that is
// d1's.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p1+3 -> b0
c1  alloc-page -> p13       pause before irq-off
c0  alloc-page -> p4
d1  touch
c1  dma-alloc p13+1 -> b1
c0  dma-free b0
