story 1
under bug gup-leaf-no-recheck.f
finds rule 6 (frames): a pin names a page that was not mapped there
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:2+2 anonymous writable
c0  load m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before locked page_ref
c0  host-preempt
c1  munmap m0:2+1
c1  load m0:3
c0  continue
