story 1
// A guest gone astray offers frames that are mapped or pinned, and is refused; then one that nothing refers to, and maps what
// it got in its place.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p1 1
c1  hv-update p1+0 -> p0 writable
c0  hv-exchange p0
c0  hv-exchange p1
c1  hv-write p1+0
c1  hv-update p1+0 empty
c0  hv-exchange p0          pause before locked count_info #2
c1  hv-update p1+0 -> p0 writable
c0  continue
d1  touch
c1  hv-update p1+1 -> p0 writable
c0  hv-write p1+1
