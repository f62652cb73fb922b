story 1
under bug steal-transient-state
finds rule 7 (hypervisor): an entry leads to memory of another domain
// c0 has seen that nobody refers to p0 but itself, and is about to drop all references. c1 makes p0 a table, and links it.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  hv-exchange p0          pause before locked count_info #2
c1  hv-pin p0 1
