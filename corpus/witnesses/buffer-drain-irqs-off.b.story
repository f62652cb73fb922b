story 1
under bug buffer-drain-irqs-off.b
finds rule 5 (drain): an alias is left in a TLB
// Nobody flushed for b0. The drain flushes c0; c1, whose walker went by, keeps its translation.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+2 -> b0
c0  dma-free b0 irqs-off
c0  drain-aliases irqs-off
