story 1
under bug alias-count-early
finds rule 7 (hypervisor): the hypervisor refused
// c0's drain has counted the alias of p0 off, and not cleared its entry yet.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases           pause before hypercall
c1  make-table p0
