story 1
under bug large-leaf-unvalidated
// By its flag alone the entry of p0 leads to 2 MiB instead of to a table, and walkers cache that before it is cleared.
cpus 3, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p0 2             pause before locked type_info #3
c1  hv-update p0+0 -> p2 readable  pause before return
c2  hv-update p0+0 -> p2 large
c0  hv-update p0+0 empty
