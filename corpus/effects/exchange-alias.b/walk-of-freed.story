story 1
under bug exchange-alias.b
finds rule 6 (frames): a walk went through a freed table
// There is no frame for b1, and the frame of its page's number is b0's. The exchange by which b0 gives it back is
// refused, and c1 clears a frame that c2's exchange has in use as a table by then.
cpus 3, hardware calm, sizes tiny, backends xen
c0  dma-alloc p1+2 -> b0
c1  new-mm -> m0            pause before irq-off #2
c0  alloc-page -> p15
c1  dma-free b0             pause before load count_info
c2  hv-exchange p0          pause before store heap_lock
c0  dma-alloc p15+1 -> b1
