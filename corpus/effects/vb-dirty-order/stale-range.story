story 1
under bug vb-dirty-order
finds rule 4 (kernel range reuse): a CPU holds a translation from before
// There is no room for r2. The purge takes r0's block, whose slot counts as unmapped, flushes it, and r2 gets the
// range: a walker brings the translation back as the entry goes.
cpus 2, hardware eager-walkers, sizes tiny, backends xen
c0  vmap p0+4 -> a0
c1  map-ram p0+1 -> r0
c0  vmap p0+4 -> a1
c1  unmap-ram r0            pause before load type_info
c0  map-ram p0+3 -> r1
c0  map-ram p1+1 -> r2
