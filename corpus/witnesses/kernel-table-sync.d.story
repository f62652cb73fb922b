story 1
under bug kernel-table-sync.d
finds rule 6 (frames): a walk went through a freed table
// The walkers come by c1's copy of the upper entry once more as it is cleared, which is after the flush.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  new-mm -> m0
c1  switch-mm m0
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases
c1  fill a0+0
