story 1
under bug exchange-alias.b
finds rule 1 (outcome): a buffer that its device cannot reach
// There is no frame below the limit for b1. Its list says the page's own number still, and the frame of that number
// lies beyond the limit.
cpus 1, hardware lifo-reuse, sizes tiny, backends xen
c0  alloc-page -> p15
c0  dma-alloc p0+3 -> b0
c0  dma-alloc p15+1 -> b1
