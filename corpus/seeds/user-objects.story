story 1
// Two address spaces map the same pages of an object, shared and private; what one writes to its copy the other never sees.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  new-object +3 -> o0
c0  new-mm -> m0
c1  new-mm -> m1
c0  mmap m0:4+2 shared o0+1 writable
c1  mmap m1:12+3 private o0+0 writable
c0  store m0:4
c1  load m1:13
c1  store m1:13             pause before locked page_ref
c0  store m0:4
c1  continue
c1  load m1:13
c0  load m0:4
c0  drop-object o0
c0  load m0:5
c1  dontneed m1:12+3
c1  load m1:13
c0  munmap m0:4+2
c1  drop-mm m1
