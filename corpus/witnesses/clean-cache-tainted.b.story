story 1
under bug clean-cache-tainted.b
finds rule 7 (hypervisor): the hypervisor refused
// The table is above the direct map: it was mapped for a look, and that entry waits for a purge.
cpus 1, hardware lifo-reuse, sizes tiny, backends native xen
c0  make-table p0
c0  unmake-table p0
c0  make-table p0
