story 1
// Seed 004: the vmap layer keeps some frame-to-alias translations around, in words of its own. p1 never had an alias; that of
// p0 goes with a drain that is on its way.
cpus 2, hardware eager-walkers lazy-stores, sizes tiny, backends native xen, designs pte_clear=at-purge table_drain=side-table
c0  map-ram p0+1 -> r0
c0  unmap-ram r0
c0  drain-aliases           pause before locked alias_count
c1  make-table p1
c1  make-table p0
c0  continue
c0  unmake-table p0
