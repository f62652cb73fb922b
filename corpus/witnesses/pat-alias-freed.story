story 1
under bug pat-alias-freed
finds rule 12 (permissions and memory types): a page has two memory types
// The direct map of the page is write-combining still when a1 gets it.
cpus 1, hardware lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-wc a0
c0  vfree a0
c0  vmalloc +1 -> a1
