story 1
under bug superpage-race.b
finds rule 6 (frames): a frame was freed twice
// c0 has seen that all is mapped alike, and does not have the lock yet. c1 splits nothing, for the table is there, and merges
// it; then c0 does so too.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  hv-exchange p0          pause before locked map_lock #3
c1  hv-exchange p1
