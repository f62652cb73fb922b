story 1
under bug late-flush-after-unlock
finds rule 6 (frames): a stale translation was used
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  new-object +1 -> o0
c0  mmap m0:0+1 shared o0+0 writable
c1  store m0:0
c0  mremap m0:0+1 to :5  pause before load mm_cpumask
c1  reclaim o0
c1  alloc-page -> p4
c1  store m0:0
