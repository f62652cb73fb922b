story 1
under bug linear-table-stale.b
finds rule 10 (rest): the kernel found itself broken: a typed reference is dropped that was not held
// c0 changes where p0 leads. c1 clears by the old way, in p2, whose references are dropped once more.
cpus 2, hardware calm, sizes tiny, backends xen
c0  hv-pin p0 2
c0  hv-update p0+0 -> p2 writable
c1  hv-update-va p0+0 -> p1 writable
c0  hv-update p0+0 -> p3 writable
c1  hv-update-va p0+0 empty
