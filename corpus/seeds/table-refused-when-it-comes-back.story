story 1
// p1 was a table, and a walker remembers the way to it. It is refused when it is to be one again, for what its entry led to is the
// guest's no more; then it becomes data, and no CPU may walk there.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p1 1
c0  hv-update p1+0 -> p3 writable
c0  hv-unpin p1
c0  hv-exchange p3
c0  hv-pin p1 1
c0  hv-update p1+0 empty
c0  hv-write p1+0
