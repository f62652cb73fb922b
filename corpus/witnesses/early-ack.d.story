story 1
under bug early-ack.d
finds rule 6 (frames): a walk went through a freed table
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:1+3 anonymous writable
c0  load m0:2
c1  munmap m0:2+2           pause before wait user_ack
c0  deliver                 pause before invlpg
c1  continue
c0  fill-user m0:3
