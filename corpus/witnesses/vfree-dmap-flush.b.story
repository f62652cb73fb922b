story 1
under bug vfree-dmap-flush.b
finds rule 12 (permissions and memory types): a page can be written and executed
// c1, whose walker went by as a0 was unmapped, can still execute the page. It is writable through the direct map already,
// and the flush is yet to come.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-rox a0
c0  vfree a0                pause before store flush_info
c1  drain-aliases
