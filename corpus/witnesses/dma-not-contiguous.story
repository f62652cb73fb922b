story 1
under bug dma-not-contiguous
finds rule 1 (outcome): a buffer that its device cannot reach
// By now the pages of b1 all lie where the device reaches, each for itself: under Xen since exchanges that ended half-way.
// On bare metal alone dma-alloc p3+2 would do: p3 and p0 lie where the device reaches, and not beside each other.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+4 -> b0
c0  dma-free b0
c0  dma-alloc p2+2 -> b0
c0  dma-alloc p1+2 -> b1
