story 1
under bug exchange-alias.b
// There is no frame for b1, and the frame of its page's number is b0's. The exchange by which b0 gives it back is
// refused, and c0 clears a frame that is d1's by then.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p1+3 -> b0
c1  alloc-page -> p13       pause before irq-off
c0  alloc-page -> p4
d1  touch
c1  dma-alloc p13+1 -> b1
c0  dma-free b0
