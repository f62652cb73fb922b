story 1
under bug drain-irqs-off.b
// The page of the area that went is the next one's. c1 still remembers it write-back when it becomes write-combining.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  vfree a0
c0  vmalloc +1 -> a0
c0  make-table p0 irqs-off
c0  set-memory-wc a0
