story 1
under bug exchange-alias.b
// There is no frame for b1, since p0 became a table. The frame of its page's number is b0's, and the exchange by which
// the first of them is to give it back is refused.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  hv-pin p0 1
c0  dma-alloc p1+3 -> b0
c0  alloc-page -> p4
c0  dma-alloc p4+1 -> b1
