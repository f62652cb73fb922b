story 1
under bug kernel-table-sync.c
finds rule 1 (outcome): access to a live mapping faulted
// c1 loads an address space that never hears of what c0 maps, and faults where there is a mapping.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c1  switch-mm m0            pause before irq-off
c0  map-ram p0+1 -> r0
c1  read r0+0
