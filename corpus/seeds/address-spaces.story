story 1
// Two CPUs in address spaces of their own see the same kernel half, while mappings come and go, and the tables beneath
// them too; one is taken off its address space when that is dropped.
cpus 3, hardware eager-walkers lazy-stores lifo-reuse, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  new-mm -> m0
c1  switch-mm m0
c1  write a0+0
c0  vmap p1+1 -> a1         pause before locked kernel_tables
c2  new-mm -> m1
c0  continue
c2  switch-mm m1
c2  read a0+0
c1  read a1+0
c0  vunmap a0
c1  vunmap a1
c2  drain-aliases           pause before wait call_ack
c1  switch-mm init
c1  switch-mm m1
c2  continue
c1  fill a0+0
c0  drop-mm m1
c1  map-ram p0+1 -> r0
c2  read r0+0
c0  drop-mm m0
