story 1
// Stores wait in buffers while other CPUs look, and drain bit by bit.
cpus 2, hardware lazy-stores, sizes tiny, backends native xen
c0  vmap p0+2 -> a0         pause before store area_lock
c0  drain-stores 1
c1  vmap p0+2 -> a1
c0  continue
c0  write a0+1
c1  read a1+1
c0  vunmap a0               pause before locked lazy_pages
c0  drain-stores 4
c1  drain-aliases
c0  continue
c1  drain-aliases
