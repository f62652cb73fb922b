story 1
// No hole is left: what is freed lazily is purged and the search made again, before a mapping fails.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+4 -> a0
c0  vmap p0+4 -> a1
c1  vmap p0+4 -> a2
c1  read a2+0
c0  vunmap a0
c0  vunmap a1
c1  vunmap a2
c1  vmap p0+4 -> a3
c0  vmap p0+4 -> a4
c0  vmap p0+4 -> a5
c0  vmap p0+4 -> a6
c1  read a4+2
c0  map-ram p0+1 -> r0
