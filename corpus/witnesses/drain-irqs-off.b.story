story 1
under bug drain-irqs-off.b
finds rule 5 (drain): an alias is left in a TLB
// There is no deadlock, because nobody is asked: c1, whose walker went by as the entry was cleared, keeps its
// translation.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases irqs-off
