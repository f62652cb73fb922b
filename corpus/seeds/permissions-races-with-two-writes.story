story 1
// The write told last faults on one backend, and goes through on the other: nobody has to agree on what remains.
cpus 3, hardware calm, sizes tiny, backends native xen, designs drain=on-map-everywhere table_drain=high-only page_flags=plain dma_drain=never huge_over_table=small-pages
c0  vmalloc +1 -> a0
c0  set-memory-rox a0
c1  set-memory-rw a0        pause before locked type_info
c2  write-direct a0+0       pause before load pte
c0  write-direct a0+0
c1  continue
c2  continue
c0  read a0+0
