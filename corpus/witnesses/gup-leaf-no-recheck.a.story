story 1
under bug gup-leaf-no-recheck.a
finds rule 6 (frames): a pin names a frame that is no page
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:2+2 anonymous writable
c0  load m0:2
c0  gup-fast m0:2+1 readable -> g0  pause before locked page_ref
c0  host-preempt
c1  munmap m0:2+1
c0  continue
