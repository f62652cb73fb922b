story 1
under bug exchange-alias.b
// b1 gets the frame that c2 is exchanging for p0, and which the hypervisor has in use as a table of its own just then.
cpus 3, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p1+2 -> b0
c1  new-mm -> m0            pause before irq-off #2
c0  alloc-page -> p15
c1  dma-free b0             pause before load count_info
c2  hv-exchange p0          pause before store heap_lock
c0  dma-alloc p15+1 -> b1
