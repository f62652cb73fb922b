story 1
under bug vfree-unflushed
finds rule 12 (permissions and memory types): a page can be written and executed
// A walker caches the page, executable, as the area goes. Its direct map is writable at the end.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-rox a0
c0  vfree a0
