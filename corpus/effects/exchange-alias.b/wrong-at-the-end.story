story 1
under bug exchange-alias.b
// There is no frame for b1. Its list says the page's own number still, and the frame of that number is b0's: its device
// writes there.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc p0+3 -> b0
c0  alloc-page -> p4
c0  alloc-page -> p13
c0  dma-alloc p13+1 -> b1
device-write b0+0
