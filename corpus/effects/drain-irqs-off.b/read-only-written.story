story 1
under bug drain-irqs-off.b
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// The page of the area that went is the next one's. c1 still remembers it writable when it becomes read-only.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc +1 -> a0
c0  make-table p0 irqs-off
c0  set-memory-rox a0
