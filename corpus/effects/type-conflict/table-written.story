story 1
under bug type-conflict
// The first entry of p3 leads to p3 itself. c1 clears it, and walkers cache it as it goes.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p3 1
c0  hv-update p3+0 -> p3 writable  pause before load count_info #2
c1  hv-update p3+0 empty
