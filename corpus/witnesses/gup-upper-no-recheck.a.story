story 1
under bug gup-upper-no-recheck.a
finds rule 6 (frames): a pin names a page that was not mapped there
cpus 2, hardware calm, sizes tiny, backends xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:0+3 anonymous writable
c0  store m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before load pte
c0  host-preempt
c1  mremap m0:2+1 to :6
c1  dontneed m0:6+1
c1  store m0:6
c0  continue
