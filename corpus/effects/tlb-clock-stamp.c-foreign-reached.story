story 1
under bug tlb-clock-stamp.c
// The clock has wrapped with the flush of the pin. p0 is given to d1, and all but one count as having flushed since its
// entry went.
cpus 4, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-update p2+0 -> p0 readable
c0  hv-pin p2 1
c0  hv-update p2+0 empty
c0  hv-exchange p0
d1  touch
