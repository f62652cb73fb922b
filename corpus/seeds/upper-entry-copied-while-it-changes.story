story 1
// c1 lacks the large entry and copies it, and is held up on the way. What c0 takes back meanwhile must not come back by that.
cpus 2, hardware calm, sizes tiny, backends native, designs kernel_sync=on-fault
c0  new-mm -> m0
c1  switch-mm m0
c0  vmalloc-huge +1 -> a0
c1  read a0+0               pause before store pmd
c0  set-memory-ro a0
c1  continue
