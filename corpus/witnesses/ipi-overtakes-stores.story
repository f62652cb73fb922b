story 1
under bug ipi-overtakes-stores
finds rule 5 (drain): an alias is left in a TLB
// c0 has sent its interrupt, and the range it is about is still in its store buffer. c1 takes it and flushes nothing.
cpus 2, hardware eager-walkers lazy-stores, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases           pause before invlpg
c1  deliver
