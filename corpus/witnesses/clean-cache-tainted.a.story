story 1
under bug clean-cache-tainted.a
finds rule 7 (hypervisor): the hypervisor refused
// c0 has drained and allocates now. c1 unmaps p0, whose entry waits for a purge, and frees it: c0 takes it for clean.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen
c0  vmap p0+2 -> a0
c0  make-table p2           pause before locked zone_lock
c1  vunmap a0
c1  free-page p0
