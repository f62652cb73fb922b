story 1
// Two CPUs touch the memory of one address space while it becomes read-only, is emptied, and goes: across the edge of a table.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  new-mm -> m0
c0  mmap m0:1+2 anonymous writable
c0  store m0:1
c1  load m0:1
c1  store m0:2
c0  load m0:2
c0  mprotect m0:1+2 readable
c1  store m0:1
c1  load m0:2
c0  mprotect m0:1+2 writable
c1  store m0:1
c0  dontneed m0:1+2
c1  load m0:2
c1  store m0:1              pause before store pte_lock
c0  munmap m0:1+2
c1  continue
c1  load m0:2
c0  drop-mm m0
