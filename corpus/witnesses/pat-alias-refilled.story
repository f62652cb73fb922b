story 1
under bug pat-alias-refilled
finds rule 12 (permissions and memory types): a page has two memory types
// The direct map still has an entry as it goes back to write-back. The walkers come by, and keep it as write-combining.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-wc a0
c0  vfree a0
