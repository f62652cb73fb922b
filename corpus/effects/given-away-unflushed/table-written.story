story 1
under bug given-away-unflushed
// A walker caches where b0 lies. Its frame goes back to the hypervisor, which gives it out again for p1; that becomes a
// table.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+1 -> b0
c0  dma-free b0
c0  hv-exchange p1
c0  hv-pin p1 1
