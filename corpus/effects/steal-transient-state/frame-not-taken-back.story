story 1
under bug steal-transient-state
finds rule 10 (rest): a frame of a guest that is gone cannot be taken back
// c0 has seen that nobody refers to p0 but itself, and is about to drop all references. c2 makes it a table, and it
// gets an entry: what that refers to is never given up.
cpus 3, hardware calm, sizes tiny, backends xen
c0  hv-exchange p0          pause before locked count_info #2
c2  hv-pin p0 1             pause before role #2
c1  hv-update p0+0 -> p1 readable
