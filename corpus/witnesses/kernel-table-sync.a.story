story 1
under bug kernel-table-sync.a
finds rule 6 (frames): a walk went through a freed table
// c1 is in an address space that has a copy of the upper entry. The drain clears the entry in the kernel's own tables,
// flushes everywhere and frees the table that it led to; the copy leads there still.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c1  switch-mm m0
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases
c1  fill a0+0
