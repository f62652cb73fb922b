story 1
under bug superpage-race.a
finds rule 6 (frames): a walk went through a freed table
// c0 has taken p0, which is not mapped for the moment. c1 walks to the table that this split was made for, and does not have
// the lock yet when c0 merges the table and frees it.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  hv-exchange p0          pause before locked heap_lock
c1  hv-exchange p1          pause before locked map_lock
