story 1
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:2+2 anonymous writable
c1  store m0:2
c1  host-preempt
c0  munmap m0:2+1
c1  host-enter
c1  load m0:3
c0  mprotect m0:3+1 readable pause before wait user_ack
c1  apply-broadcast
c0  continue
c1  load m0:3
