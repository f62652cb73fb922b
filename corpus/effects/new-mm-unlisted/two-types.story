story 1
under bug new-mm-unlisted
// c1 changes the leaf in every address space on the list. m0 copies it from before and comes onto the list behind its
// back.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  vmalloc-huge +1 -> a0
c1  set-memory-wc a0        pause before store pmd
c0  new-mm -> m0
c0  switch-mm m0
