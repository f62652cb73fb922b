story 1
under bug type-conflict
finds rule 10 (rest): the type of a frame is miscounted
// c1 is about to write to p1 as to data. c0 makes it a table, whose entry refers to p0 as to a writable page; that is
// overwritten, and the reference never given up.
cpus 2, hardware calm, sizes tiny, backends xen
c0  hv-update p1+0 -> p0 writable
c1  hv-update p1+0 -> p0 readable  pause before load type_info #2
c0  hv-pin p1 1
