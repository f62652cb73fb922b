story 1
under bug lazy-alias-pins.a
finds rule 7 (hypervisor): the hypervisor refused
// The entry of a0 is still there, and writable. Native never notices; Xen counts it, and will not make p0 a table.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  make-table p0
