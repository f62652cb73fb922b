story 1
// A guest gone astray sets entries by address, and changes the tables beneath: on one CPU, then on another, and while it is
// held up on the way. What it sets is set in the tables that are there.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p1 1
c0  hv-pin p2 1
c0  hv-pin p0 2
c0  hv-update p0+0 -> p1 writable
c1  hv-update-va p0+0 -> p3 writable
c0  hv-update p0+0 -> p2 writable
c1  hv-update-va p0+0 -> p3 writable
c0  hv-update-va p0+0 empty          pause before locked pte
c1  hv-update p0+0 -> p1 writable
c0  continue
c1  hv-write p0+0
c0  hv-update-va p1+1 -> p3 readable
c1  hv-unpin p0
c0  hv-update-va p0+0 -> p3 writable
