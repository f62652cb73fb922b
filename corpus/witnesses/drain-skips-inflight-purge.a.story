story 1
under bug drain-skips-inflight-purge.a
finds rule 5 (drain): an alias is left in a TLB
// c0 has taken the list of what is unmapped and flushed nothing yet. c1's drain finds it purging and returns.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  drain-aliases           pause before store lazy_lock
c1  drain-aliases
