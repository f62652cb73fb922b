story 1
// Seed 004: a cache of unaliased page table pages, "like the quicklists things". It is filled by one drain, and by what comes
// back; p2 is freed with a lazy alias while a batch is on its way.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen, designs pte_clear=at-purge table_drain=clean-cache
c0  vmap p2+1 -> a0
c0  make-table p0           pause before locked zone_lock #2
c1  vunmap a0
c1  free-page p2
c0  continue
c1  make-table p1
c1  unmake-table p1
c0  pin-tree p1+2 -> t0
c0  unpin-tree t0
