story 1
under bug linear-table-kept
finds rule 7 (hypervisor): the hypervisor refused
// c0 leaves m0, and the hypervisor keeps the way through its tables: c0's next entry is looked for in what m0 had.
cpus 2, hardware calm, sizes tiny, backends xen
c0  new-mm -> m0
c1  vmap p0+4 -> a0
c0  switch-mm m0
c0  map-ram p0+1 -> r0
c0  vmalloc +3 -> a1        pause before irq-on
c1  drop-mm m0              pause before load count_info
