story 1
under bug huge-over-table
finds rule 6 (frames): a walk went through a freed table
// A walker remembers the way to the table of the first area as that is freed. The table is given up for a huge one, and nobody
// flushes for it.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc-huge +1 -> a0
