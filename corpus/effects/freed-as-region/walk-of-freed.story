story 1
under bug freed-as-region
finds rule 6 (frames): a walk went through a freed table
// The second buffer of p1 to p3 begins with the first frame of the guest's, and behind it lies the kernel's root: when everything is
// torn down it is cleared and freed as a page of the buffer.
cpus 1, hardware calm, sizes tiny, backends xen
c0  dma-alloc p0+1 -> b0
c0  dma-alloc-wide p1+3 -> b1
c0  dma-free b1
c0  dma-alloc-wide p1+3 -> b1
