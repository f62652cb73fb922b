story 1
under bug buffer-drain-irqs-off.a
finds rule 9 (progress): waits with interrupts off
// Nobody flushed for b0. The drain does, and waits for the answer of c1 with its own interrupts off.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+4 -> b0
c0  dma-free b0
c0  drain-aliases irqs-off
