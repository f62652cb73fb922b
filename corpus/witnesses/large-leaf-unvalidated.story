story 1
under bug large-leaf-unvalidated
finds rule 7 (hypervisor): an entry leads to memory of another domain
// p0 leads to p1, which becomes a table by that, and then by the same number to 2 MiB.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  hv-pin p0 2
c0  hv-update p0+0 -> p1 writable
c0  hv-update p0+0 -> p1 large
