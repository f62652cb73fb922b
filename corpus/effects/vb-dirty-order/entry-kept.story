story 1
under bug vb-dirty-order
// There is no room for a2. A purge for space takes r0's block, whose slots count as unmapped, and frees the table
// beneath it before c2 has cleared the entry.
cpus 3, hardware calm, sizes tiny, backends native xen
c0  vmap p0+4 -> a0
c0  vmap p0+3 -> a1
c0  map-ram p0+1 -> r0
c0  map-ram p0+3 -> r1      pause before store area_lock
c2  unmap-ram r0            pause before load type_info
c1  vmap p0+4 -> a2
