story 1
// c0 has walked to the table behind p0+0 and locked it. c1 puts another in its place, with another entry: it has to wait until
// c0 is through with its linear mapping, or c0 changes an entry of a table that it has not locked.
cpus 2, hardware calm, sizes tiny, backends xen
c0  hv-update p1+0 -> p3 readable
c0  hv-update p0+0 -> p2 writable
c0  hv-pin p0 2
c0  hv-update-va p0+0 -> p3 writable          pause before locked pte
c1  hv-update p0+0 -> p1 writable
c0  continue
