story 1
// Seed 004: the host does its own alias check, "why not just reuse that and trap back into the guest to fix it up?" With
// interrupts off there is nothing to fix up for p3, and no way to for p0.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen, designs pte_clear=at-purge table_drain=fix-up
c0  vmap p0+3 -> a0
c1  write a0+1
c0  vunmap a0
c1  make-table p3 irqs-off
c1  make-table p0 irqs-off
c0  pin-tree p1+2 -> t0
