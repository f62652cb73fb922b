story 1
// Seed 000: the drain of aliases whose caller is concerned with tables only, and the range that is used again.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+2 -> a0
c1  read a0+1
c0  vunmap a0
c0  drain-aliases
c0  vmap p2+2 -> a1
c1  write a1+1
c0  read a1+1
