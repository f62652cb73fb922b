story 1
under bug freed-as-region
finds rule 1 (outcome): access to a live mapping faulted
// The second buffer of p1 to p3 begins with the first frame of the guest's, and behind it lies the kernel's root: it is cleared as a
// page of the buffer, and no CPU finds its way to b0.
cpus 1, hardware calm, sizes tiny, backends xen
c0  dma-alloc p0+1 -> b0
c0  dma-alloc-wide p1+3 -> b1
c0  dma-free b1
c0  dma-alloc-wide p1+3 -> b1
c0  dma-free b1
c0  read b0+0
