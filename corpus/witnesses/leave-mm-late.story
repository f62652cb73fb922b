story 1
under bug leave-mm-late
finds rule 1 (outcome): a CPU is not in the address space that it loaded
// c0 sees c1 in m0 and interrupts it. By then c1 has gone over to m1, with interrupts off, and leaves that.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c0  new-mm -> m1
c1  switch-mm m0
c1  switch-mm m1            pause before cr3
c0  drop-mm m0
