story 1
// Seed 004: "for initial process construction that could be deferred". The pages of a1 have lazy aliases when they become
// the tables of a process, all by one pin; a table on a live process still needs its own.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen, designs table_drain=first-pin pte_clear=at-purge
c0  vmap p0+4 -> a0
c1  write a0+2
c0  vunmap a0
c0  pin-tree p0+3 -> t0
c1  make-table p3
c1  unmake-table p3
c0  unpin-tree t0
c1  vmap p0+4 -> a1
c0  read a1+2
