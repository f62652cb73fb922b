story 1
under bug new-mm-unlisted
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// c1 changes the leaf in every address space on the list. m0 copies it from before and comes onto the list behind its
// back.
cpus 2, hardware lazy-stores, sizes tiny, backends native
c0  vmalloc-huge +1 -> a0
c1  set-memory-ro a0        pause before store pgd_lock
c0  new-mm -> m0
c0  switch-mm m0
