story 1
under bug steal-transient-state
// c0 has seen that nobody refers to p0 but itself, and is about to drop all references. c1 maps p0 into the table p1.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  hv-pin p1 1
c0  hv-exchange p0          pause before locked count_info #2
c1  hv-update p1+0 -> p0 writable
