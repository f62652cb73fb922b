story 1
under bug drain-skips-inflight-purge.b
finds rule 5 (drain): an alias is left in a TLB
// c0 has counted off what it collected and is about to ask for the flush. c1's drain sees nothing outstanding.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases           pause before store flush_info
c1  drain-aliases
