story 1
// Seed 004: a guest gone astray. It makes tables of its own, maps what it likes and flushes nothing; the hypervisor refuses,
// or sees to the flushes itself.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p0 1
c0  hv-update p0+0 -> p1 writable
c1  hv-write p0+0
c0  hv-update p0+1 -> foreign readable
c0  hv-update p0+0 empty
c1  hv-pin p1 2
c1  hv-update p1+0 -> p0 writable
c0  hv-unpin p0
c1  hv-write p1+0
c0  hv-flush
