story 1
// Seed 004: "it could be switched on at runtime if Xen is running". Nobody counted a0; a1 is counted, and both map p0.
cpus 2, hardware calm, sizes tiny, backends native xen, designs pte_clear=at-purge table_drain=side-table-on-request
c0  vmap p0+1 -> a0         pause before store free_area_lock
c1  track-aliases
c0  continue
c1  vmap p0+2 -> a1
c0  vunmap a0
c1  vunmap a1
c0  make-table p0 irqs-off
c0  make-table p1
c0  unmake-table p1
c0  pin-tree p1+1 -> t0 irqs-off
