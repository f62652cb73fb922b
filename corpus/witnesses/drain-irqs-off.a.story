story 1
under bug drain-irqs-off.a
finds rule 9 (progress): waits with interrupts off
// c0 waits for the answer of c1 with its own interrupts off. Should c1 do the same, both wait for ever.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases irqs-off
