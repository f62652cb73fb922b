story 1
// Seed 001: RCU table freeing is configured, and no table ever goes through it. On native c1 frees the table with the page, after a
// flush that c0 answers when its interrupts are on again: by then the walk is over.
cpus 2, hardware lifo-reuse, sizes tiny, backends native, designs table_free=configured-unused
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c1  munmap m0:2+1
c1  alloc-page -> p4
c0  continue
