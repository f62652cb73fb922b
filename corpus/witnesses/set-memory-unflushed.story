story 1
under bug set-memory-unflushed
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// A walker caches the page, writable, as its entry is changed.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-ro a0
