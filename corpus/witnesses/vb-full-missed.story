story 1
under bug vb-full-missed
finds rule 5 (drain): an alias is left in a TLB
// Two mappings use up the four slots of c0's block, so that it leaves the free list; one of them is unmapped.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  map-ram p0+2 -> r0
c0  map-ram p2+2 -> r1
c0  unmap-ram r0
c0  drain-aliases
