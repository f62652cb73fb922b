story 1
// Memory for code: written, made executable and executed elsewhere, written again, and freed with nothing left behind.
cpus 2, hardware eager-walkers lifo-reuse, sizes tiny, backends native xen
c0  vmalloc +2 -> a0
c0  write a0+1
c1  write-direct a0+0
c0  set-memory-rox a0       pause before invlpg
c1  write a0+1
c0  continue
c1  exec a0+0
c1  write a0+0
c1  read-direct a0+1
c0  set-memory-rw a0
c1  write a0+0
c0  set-memory-ro a0
c1  write-direct a0+1
c0  vfree a0                pause before store pte #3
c1  vmalloc +1 -> a1
c0  continue
c1  exec a1+0
c1  vfree a1
