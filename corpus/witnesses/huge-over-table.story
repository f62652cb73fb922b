story 1
under bug huge-over-table
// To get the range of a0 back it is purged, and its table stays, which nobody uses. As a large page takes the place of that, a
// walker caches the way to it once more, and nobody flushes.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  vmalloc-huge +1 -> a1
c0  write a1+0
