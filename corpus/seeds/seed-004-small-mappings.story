story 1
// Seed 004: the per-CPU front end. A block is used up, one mapping of it is given back and drained, then the others.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  map-ram p0+1 -> r0
c0  map-ram p1+1 -> r1
c0  map-ram p2+2 -> r2
c1  read r1+0
c1  unmap-ram r1
c1  drain-aliases
c0  unmap-ram r0
c0  unmap-ram r2
grace-period
c0  map-ram p0+4 -> r3
c1  write r3+3
c0  read r3+3
