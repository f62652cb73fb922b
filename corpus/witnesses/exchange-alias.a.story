story 1
under bug exchange-alias.a
finds rule 7 (hypervisor): the hypervisor refused
// The entry of a0 is still there when p0's frame is offered. Native never notices; Xen counts it, and will not take it.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  dma-alloc p0+1 -> b0
