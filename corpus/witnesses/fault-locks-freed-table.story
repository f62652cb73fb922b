story 1
under bug fault-locks-freed-table
finds rule 6 (frames): a walk went through a freed table
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  load m0:2               pause before locked pte_lock
c1  free-tables m0:2+1
grace-period
c0  continue
