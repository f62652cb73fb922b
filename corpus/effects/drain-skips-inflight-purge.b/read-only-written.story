story 1
under bug drain-skips-inflight-purge.b
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// c1 has counted off what it collected and flushed nothing yet. The drain before the change sees nothing outstanding:
// the page is remembered writable by the address of the area that had it before.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmalloc +3 -> a0
c0  vfree a0
c0  vmalloc +4 -> a1
c1  drain-aliases           pause before locked kernel_tables
c0  set-memory-ro a1
