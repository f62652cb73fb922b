story 1
under bug exchange-alias.b
// The hypervisor has no frame below the limit for b1. What the list holds in its place lies beyond it.
cpus 1, hardware lifo-reuse, sizes tiny, backends native xen
c0  alloc-page -> p15
c0  dma-alloc p0+3 -> b0
c0  dma-alloc p15+1 -> b1
