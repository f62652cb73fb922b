story 1
// The entry in p0 names the frame that p2 had. When p0 becomes a table, that must be nothing of the kernel's.
cpus 1, hardware calm, sizes tiny, backends xen
c0  dma-alloc p3+1 -> b0
c0  hv-update p0+0 -> p2 readable
c0  hv-exchange p2
c0  dma-free b0
c0  hv-pin p0 1
c0  dma-alloc p3+1 -> b0
