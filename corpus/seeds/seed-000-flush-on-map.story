story 1
// Seed 000: flush on map instead of on unmap. The drain gives the range back unflushed, and the vmap that gets it next makes
// every CPU forget it before its own entries are there.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen, designs drain=on-map-everywhere
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
c1  write a1+0
c0  read a1+0
