story 1
under bug tlb-clock-stamp.c
finds rule 6 (frames): a walk went through a freed table
// The flush brings the clock past its wrap. p2 is no table any more, and c0 counts as having flushed: it remembers the
// way through it.
cpus 4, hardware eager-walkers, sizes tiny, backends xen
c0  hv-pin p2 1
c0  hv-flush
c0  hv-unpin p2
c0  hv-update p2+0 empty
c0  hv-write p2+0
