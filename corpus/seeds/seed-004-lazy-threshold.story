story 1
// Seed 004: lazily unmapped pages pass the threshold, and the worker purges them while another CPU maps.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen
c0  vmap p0+4 -> a0
c1  read a0+3
c0  vunmap a0
c1  vmap p0+1 -> a1
c0  run-work                pause before store lazy_lock
c1  vunmap a1
c1  vmap p1+2 -> a2
c0  continue
c1  read a2+0
c0  drain-aliases
