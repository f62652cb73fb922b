story 1
under bug exchange-alias.b
finds rule 7 (hypervisor): the hypervisor refused
// There are frames for the first segment and none for the second. What the list holds in their place is somebody else's.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+4 -> b0
