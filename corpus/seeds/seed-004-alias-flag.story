story 1
// Seed 004: "I'd need a way of testing if a given page has vmap aliases": a bit in the page's flags, which its owner changes too.
cpus 2, hardware lazy-stores, sizes tiny, backends native xen, designs pte_clear=at-purge table_drain=page-flag
c0  set-page-flag p0        pause before locked page_flags
c1  vmap p0+1 -> a0
c1  vunmap a0
c0  make-table p0
c0  unmake-table p0
c1  set-page-flag p0
c1  make-table p0
