story 1
// Small mappings on every CPU, drained by one of them while the others go on.
cpus 4, hardware eager-walkers lazy-stores lifo-reuse, sizes small, backends native xen
c0  map-ram p0+2 -> r0
c1  map-ram p1+2 -> r1
c2  map-ram p2+1 -> r2
c3  write r0+1
c1  unmap-ram r0            pause before store pte
c2  drain-aliases           pause before locked lazy_lock
c3  map-ram p3+1 -> r3
c1  continue
c2  continue
c3  fill r0+1
c0  drain-aliases
c0  read r1+1
