story 1
under bug large-leaf-unvalidated
finds rule 12 (permissions and memory types): a page can be executed that nobody made executable
// By its flag alone the entry of p0 leads to 2 MiB instead of to a table: among it the page of a0, which nobody made
// executable.
cpus 2, hardware calm, sizes tiny, backends xen
c0  hv-pin p0 2             pause before store table_lock #3
c1  vmalloc +1 -> a0
c1  hv-update p0+0 -> p1 readable
c1  hv-update p0+0 -> p1 large
