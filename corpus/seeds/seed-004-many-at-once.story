story 1
// Seed 004: areas and small mappings are unmapped one by one, and one drain flushes for all of them.
cpus 3, hardware eager-walkers, sizes small, backends native xen
c0  vmap p0+2 -> a0
c0  vmap p1+2 -> a1
c1  map-ram p2+1 -> r0
c1  map-ram p3+1 -> r1
c2  read a0+1
c2  read a1+0
c2  read r0+0
c0  vunmap a0
c0  vunmap a1
c1  unmap-ram r0
c1  drain-aliases
c2  read r1+0
c0  vmap p0+2 -> a2
c1  write a2+1
