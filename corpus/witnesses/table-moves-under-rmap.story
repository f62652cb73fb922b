story 1
under bug table-moves-under-rmap
finds rule 6 (frames): a stale translation was used
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  new-object +1 -> o0
c0  mmap m0:2+1 shared o0+0 writable
c1  store m0:2
c0  mremap m0:2+1 to :6  pause before locked page_table_lock #2
c1  reclaim o0           pause before locked pte
c0  continue             pause before load mm_cpumask
c1  fill-user m0:6
c1  continue
c1  alloc-page -> p4
c1  store m0:6
