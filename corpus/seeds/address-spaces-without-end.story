story 1
// Address spaces until memory runs out: those that are made no more are void, and a mapping may fail for lack of a table.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c0  new-mm -> m1
c0  new-mm -> m2
c0  new-mm -> m3
c0  new-mm -> m4
c0  new-mm -> m5
c0  new-mm -> m6
c0  new-mm -> m7
c0  new-mm -> m8
c0  new-mm -> m9
c0  new-mm -> m10
c0  new-mm -> m11
c0  new-mm -> m12
c0  new-mm -> m13
c0  new-mm -> m14
c0  new-mm -> m15
c0  vmap p0+1 -> a0
