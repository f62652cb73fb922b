story 1
under bug preempted-flag-copyback
finds rule 3 (user revocation): a CPU can use a translation of memory that is unmapped
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c1  load m0:2
c1  host-preempt
c1  host-enter              pause before store steal_time
c0  munmap m0:2+1
c1  continue
