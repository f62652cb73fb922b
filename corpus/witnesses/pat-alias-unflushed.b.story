story 1
under bug pat-alias-unflushed.b
finds rule 12 (permissions and memory types): a page has two memory types
// A walker caches the page, write-combining, as its entry is changed back.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-wc a0
c0  set-memory-wb a0
