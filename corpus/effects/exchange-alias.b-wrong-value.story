story 1
under bug exchange-alias.b
// What b1 gets is what b0 has already, with what was written there.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+3 -> b0
device-write b0+0
c0  alloc-page -> p4
c0  alloc-page -> p13
c0  dma-alloc p13+1 -> b1
c0  read b1+0
