story 1
// Seed 000: two CPUs make buffers for DMA with interrupts off and drain aliases there.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  vmap p1+1 -> a1
c0  vunmap a0
c1  vunmap a1
c0  drain-aliases irqs-off  pause at 1
c1  drain-aliases irqs-off
c0  continue
c0  drain-aliases
