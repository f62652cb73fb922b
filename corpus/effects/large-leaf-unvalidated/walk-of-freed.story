story 1
under bug large-leaf-unvalidated
finds rule 6 (frames): a walk went through a freed table
// By its flag alone the entry of p3 leads to 2 MiB instead of to a table: c1 writes to the first page of it, which is
// one of the hypervisor's own tables.
cpus 2, hardware calm, sizes tiny, backends xen
c0  hv-update p3+0 -> p2 readable
c0  hv-pin p3 2
c0  hv-update p3+0 -> p2 large  pause before wait hypervisor_ack
c1  hv-write p3+0
c1  dma-alloc p0+1 -> b0
