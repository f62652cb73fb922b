story 1
under bug vb-dirty-order
finds rule 1 (outcome): access to a live mapping faulted
// There is no room for a0. A purge for space takes r0's block, whose slot counts as unmapped, and a0 gets the range: c1
// then clears the entry, which is a0's.
cpus 3, hardware calm, sizes tiny, backends native
c0  map-ram p0+1 -> r0
c1  unmap-ram r0            pause before locked dirty_blocks
c0  vmap p0+1 -> a1         pause before locked area_lock
c2  vmalloc-huge +1 -> a0
c1  read a0+0
