story 1
under bug exchange-alias.b
// What b1 gets is what b0 has already, and the device writes to it.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+3 -> b0
c0  alloc-page -> p4
c0  alloc-page -> p13
c0  dma-alloc p13+1 -> b1
device-write b0+0
