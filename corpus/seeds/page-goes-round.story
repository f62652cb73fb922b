story 1
// A page is mapped, unmapped lazily, given away and taken again, while an old translation lingers elsewhere.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  write a0+0
c0  vunmap a0
c0  free-page p0 irqs-off
c1  alloc-page -> p5
c1  vmap p5+1 -> a1
c1  read a1+0
c0  alloc-page -> p6
c0  make-table p6
c0  unmake-table p6
c0  free-page p6
