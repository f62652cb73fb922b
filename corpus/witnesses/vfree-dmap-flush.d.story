story 1
under bug vfree-dmap-flush.d
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// The pages of a0 are not neighbours in physical memory. The walker of either CPU went by as the direct map of the second
// was made read-only, and nobody flushes that.
cpus 1, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +2 -> a0
c0  set-memory-ro a0
