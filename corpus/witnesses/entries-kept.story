story 1
under bug entries-kept
finds rule 7 (hypervisor): the hypervisor refused
// The tree has gone, and with it the entry of p0 that led to p1; but p1 still counts as a table.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  pin-tree p0+2 -> t0
c0  unpin-tree t0
c0  map-ram p1+1 -> r0
