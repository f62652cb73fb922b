story 1
under bug vb-dirty-order
finds rule 10 (rest): the kernel found itself broken: an area is mapped over another
// There is no room for another block. A purge for space takes r0's block, whose slots count as unmapped, and gives it
// to r1 while the entry is still there.
cpus 2, hardware calm, sizes tiny, backends xen
c0  vmalloc +4 -> a0
c0  vmap p0+3 -> a1
c1  map-ram p0+1 -> r0
c0  vmap p0+4 -> a2
c1  unmap-ram r0            pause before locked dirty_blocks
c0  map-ram p0+1 -> r1
