story 1
under bug steal-transient-state
finds rule 6 (frames): a walk went through a freed table
// c0 has seen that nobody refers to p3 but itself, and is about to drop all references. c1 makes it a table and links
// it. b0 has taken all other frames: p3 gets its own back as data, and the entry leads there.
cpus 2, hardware eager-walkers, sizes tiny, backends xen
c0  dma-alloc p0+3 -> b0
c0  hv-exchange p3          pause before locked count_info #2
c1  hv-pin p3 1
