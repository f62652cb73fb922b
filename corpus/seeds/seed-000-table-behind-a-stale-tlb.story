story 1
// Seed 000: a page becomes a page table while a stale translation could still write to it. c1 has one, no drain has
// flushed, and the hypervisor interrupts c1 before it takes the page for a table.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen, designs pte_clear=at-purge drain=tables-only
c0  vmap p0+1 -> a0
c1  write a0+0
c0  vunmap a0
c0  make-table p0
c1  fill a0+0
c0  unmake-table p0
