story 1
// A flush request is taken on top of a mapping that is being made, and is itself overtaken.
cpus 3, hardware reordered-interrupts eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  read a0+0
c2  read a0+0
c0  vunmap a0
c1  vmap p1+1 -> a1         pause before store pte
c0  drain-aliases           pause before wait call_ack
c1  deliver from c0         pause before load flush_info
c2  deliver
c1  continue
c1  continue
c0  continue
c1  read a1+0
