story 1
under bug pat-alias-unflushed.a
finds rule 12 (permissions and memory types): a page has two memory types
// A walker caches the page, write-back, as its entry is changed.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-wc a0
