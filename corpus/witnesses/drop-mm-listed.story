story 1
under bug drop-mm-listed
finds rule 6 (frames): a walk went through a freed table
// The tables of m0 are freed, and it is still on the list.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c0  drop-mm m0              pause before locked kernel_tables
c1  vmap p0+1 -> a0
