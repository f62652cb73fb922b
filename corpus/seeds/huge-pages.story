story 1
// Memory of large pages: mapped by one entry where that is possible, written through both of its aliases, made executable and
// freed, lazily and with nothing left behind. Small areas get the addresses next.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmap p0+2 -> a0
c1  write a0+1
c0  vunmap a0
c0  vmalloc-huge +8 -> a1
c1  write a1+7
c0  read-direct a1+7
c1  write-direct a1+0
c0  read a1+0
c0  set-memory-rox a1       pause before store pmd #2
c1  write a1+3
c0  continue
c1  exec a1+5
c1  write a1+5
c0  vfree a1
c0  vmalloc-huge +2 -> a2
c1  read a2+1
c1  vfree a2
c0  vmap p0+4 -> a3
c1  fill a2+0
c0  drain-aliases
c1  read a3+1
