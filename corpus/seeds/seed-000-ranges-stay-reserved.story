story 1
// Seed 000: a drain that clears the entries of lazily unmapped areas and leaves the ranges to a later flush. c1 may still
// have its translation; the next vmap gets another range, until a flush has come by.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen, designs pte_clear=at-purge drain=tables-only
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
c1  write a1+0
c0  vunmap a1
c0  vmap p2+8 -> a2
c0  vunmap a2
c0  run-work
c0  vmap p1+1 -> a3
c1  read a3+0
