story 1
// A device that reaches all memory, and one that does not. Under Xen p0 is a buffer for the first as it is. The second buffer takes
// two low frames, since no others follow each other, and a high one for the page that is left over: the last low frame is there
// for the device that needs it.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  dma-alloc-wide p0+1 -> b0
c1  write b0+0
device-read b0+0
c0  dma-alloc-wide p1+3 -> b1
device-write b1+2
c1  read b1+2
c1  dma-free b0
c0  dma-alloc p0+1 -> b2
d1  touch
c1  dma-free b1
c0  vmap p1+3 -> a0
c1  write a0+2
d1  touch
c0  read a0+2
