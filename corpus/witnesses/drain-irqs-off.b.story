story 1
under bug drain-irqs-off.b
// There is no deadlock, because nobody is asked: c1 keeps its translation.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c0  drain-aliases irqs-off
