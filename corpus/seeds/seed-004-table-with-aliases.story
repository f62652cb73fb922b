story 1
// Seed 004: a page that was mapped lazily becomes a page table, and an ordinary page again.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+2 -> a0
c1  write a0+0
c0  vunmap a0
c0  make-table p0
c1  fill a0+0
c0  unmake-table p0
c0  vmap p0+1 -> a1
c1  read a1+0
