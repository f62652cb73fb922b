story 1
under bug linear-table-stale.b
finds rule 6 (frames): a stale translation was used
// The table of a0 goes while c1, which is about to map a1, purges. c0 remembers the way to it, and clears the entry of a1 by that
// in the end.
cpus 2, hardware calm, sizes tiny, backends native xen
c1  vmap p0+1 -> a1         pause before load dirty_blocks
c0  vmap p0+1 -> a0
c0  vunmap a0
