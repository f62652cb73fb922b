story 1
// Seed 004: what a drain costs where nothing is outstanding (no flush at all), with a single area, and right behind that.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  drain-aliases
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c1  drain-aliases
c0  drain-aliases
