story 1
under bug drop-mm-not-awaited
finds rule 1 (outcome): a CPU is not in the address space that it loaded
// c1 was asked to leave m0, and the interrupt is still to come. It stands on a root that is anybody's page.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c1  switch-mm m0
c0  drop-mm m0
