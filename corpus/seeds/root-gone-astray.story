story 1
// A guest gone astray loads a page of its own as a root, while other CPUs make a table of it, change what it leads to, and let it go.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-load-root p0
c0  hv-pin p0 4
c1  hv-pin p1 3
c0  hv-load-root p0         pause before cr3 #2
c1  hv-update p0+0 -> p1 writable
c1  hv-unpin p0
c1  hv-update p0+0 empty
c0  continue
c1  hv-load-root p0         pause before locked type_info
c0  hv-unpin p0
c1  continue
