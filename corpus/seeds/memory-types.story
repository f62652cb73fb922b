story 1
// Write-combining memory: its page was another area's, freed lazily, before. It is used while its type changes, made read-only
// meanwhile, and given back as memory usually is; so is a large page.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +2 -> a0
c1  write a0+1
c0  vfree a0
c0  vmalloc +2 -> a1
c0  set-memory-wc a1        pause before store flush_info #2
c1  write a1+0
c1  read-direct a1+0
c0  continue
c1  write-direct a1+1
c0  read a1+1
c1  set-memory-ro a1
c0  set-memory-wb a1        pause before wait call_ack
c1  read a1+0
c0  continue
c1  set-memory-wc a1
c0  vfree a1
c1  vmalloc-huge +3 -> a2
c1  set-memory-wc a2
c0  write a2+2
c1  vfree a2
c0  vmalloc +2 -> a3
c1  write-direct a3+1
