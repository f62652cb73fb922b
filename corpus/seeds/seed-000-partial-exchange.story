story 1
// Seed 000: there are three low frames. A buffer of four comes to nothing after its first segment; what was not exchanged is
// put back, and three of the pages make a buffer.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+4 -> b0 irqs-off
c1  dma-free b0
c0  dma-alloc p0+3 -> b1 irqs-off
d1  touch
device-write b1+2
c1  read b1+2
c1  write b1+0
device-read b1+0
