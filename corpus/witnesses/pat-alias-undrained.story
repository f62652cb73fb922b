story 1
under bug pat-alias-undrained
finds rule 12 (permissions and memory types): a page has two memory types
// The page was a0's, and is a1's now. A walker cached where a0 had it, write-back, as a0 was unmapped.
cpus 1, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc +1 -> a1
c0  set-memory-wc a1
