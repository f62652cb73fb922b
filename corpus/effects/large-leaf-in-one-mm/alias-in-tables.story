story 1
under bug large-leaf-in-one-mm
finds rule 5 (drain): an alias is left in the tables
// a0 goes from the kernel's own tables and not from the copy in m0, which c0 has loaded.
cpus 1, hardware calm, sizes tiny, backends native
c0  new-mm -> m0
c0  switch-mm m0
c0  vmalloc-huge +1 -> a0
c0  vfree a0
c0  drain-aliases
