story 1
// Seed 000: c0 has taken the lazy list and cleared nothing yet. c1, with interrupts off, cannot wait until it has, and is
// told that it would sleep; afterwards its buffer is made.
cpus 2, hardware calm, sizes tiny, backends native xen, designs pte_clear=at-purge
c0  vmap p0+2 -> a0
c0  vunmap a0
c0  drain-aliases           pause before store lazy_lock
c1  dma-alloc p0+1 -> b0 irqs-off
c0  continue
c1  dma-alloc p1+1 -> b1 irqs-off
c0  write b1+0
device-read b1+0
