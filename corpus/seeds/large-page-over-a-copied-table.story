story 1
// A large page takes the place of a table. m0 has a copy of the way to that, which goes too, before the table is anybody's page.
cpus 2, hardware calm, sizes tiny, backends native, designs kernel_tables=kept
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  new-mm -> m0
c1  switch-mm m0
c0  vmalloc-huge +1 -> a0   pause before store pmd #2
c1  fill a0+0
c0  continue
