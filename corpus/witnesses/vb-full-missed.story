story 1
under bug vb-full-missed
// Two mappings use up the four slots of c0's block, so that it leaves the free list; one of them is unmapped.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  map-ram p0+2 -> r0
c0  map-ram p2+2 -> r1
c1  read r1+0
c0  unmap-ram r1
c0  drain-aliases
