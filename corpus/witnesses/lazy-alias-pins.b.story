story 1
under bug lazy-alias-pins.b
finds rule 7 (hypervisor): the hypervisor refused
// p0 is within the direct map, so nobody drains; but it was mapped all the same.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  make-table p0
