story 1
under bug type-conflict
finds rule 12 (permissions and memory types): a page can be executed that nobody made executable
// p2 gets a large entry while it is data, and becomes a table as it does: it leads to 2 MiB that nobody made
// executable.
cpus 2, hardware calm, sizes tiny, backends xen
c0  hv-update p2+0 -> p0 large  pause before store table_lock
c1  hv-pin p2 2
c1  vmalloc +1 -> a0        pause before load pgd
