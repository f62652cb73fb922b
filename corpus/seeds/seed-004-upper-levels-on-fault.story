story 1
// Upper entries are copied by those who fault for lack of them: two CPUs in one address space at once, and one that is to be
// taken off its address space meanwhile. A removed entry is gone from all.
cpus 2, hardware lazy-stores, sizes tiny, backends native, designs kernel_sync=on-fault
c0  new-mm -> m0
c0  vmap p0+1 -> a0
c0  switch-mm m0
c1  switch-mm m0
c1  read a0+0               pause before load pmd
c0  write a0+0
c1  continue
c0  vunmap a0
c0  drain-aliases
c1  fill a0+0
c0  vmap p1+1 -> a1
c1  write a1+0              pause before load pgd #2
c0  drop-mm m0
c1  continue
