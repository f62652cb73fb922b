story 1
// Seed 000: a driver makes a buffer with interrupts off, of a page that still has a lazy alias; its old frames go to d1.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  write a0+0
c0  vunmap a0
c0  dma-alloc p0+2 -> b0 irqs-off
d1  touch
c1  write b0+1
device-read b0+1
device-write b0+0
c0  read b0+0
c1  fill a0+0
c0  dma-free b0 irqs-off
d1  touch
c1  vmap p0+2 -> a1
c1  read a1+0
