story 1
under bug new-mm-unlisted
finds rule 6 (frames): a walk went through a freed table
// c0 copies an upper entry that c2 removes from every address space on the list, after a buffer came to nothing. m0
// keeps it, and with it as a table a page that is freed, and that c1 is given.
cpus 3, hardware lifo-reuse, sizes tiny, backends xen
c0  new-mm -> m0            pause before store pgd
c1  dma-alloc p0+4 -> b0
c1  vmap p0+1 -> a0         pause before locked kernel_tables
c2  drain-aliases           pause before locked table_lock
