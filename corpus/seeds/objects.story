story 1
// Two objects come and go while an address space does: all take memory from the same pages.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  new-object +3 -> o0
c1  new-object +2 -> o1     pause before locked zone_lock #2
c0  new-mm -> m0
c0  drop-object o0
c1  continue
c1  switch-mm m0
c0  drop-mm m0
c1  drop-object o1
