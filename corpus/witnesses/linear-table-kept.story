story 1
under bug linear-table-kept
finds rule 6 (frames): a walk went through a freed table
// At the end m0 is dropped, and then a0 freed by c0: its way to the entries of the direct map leads through what was the root of m0.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c0  switch-mm m0
c0  vmalloc +1 -> a0
c1  set-memory-rox a0
