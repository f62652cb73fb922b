story 1
under bug linear-table-stale.a
finds rule 10 (rest): the kernel found itself broken: a typed reference is dropped that was not held
// The entry of p0 leads to p2 and then to p3. What is cleared by address is the entry of p2, and the reference is
// dropped twice.
cpus 1, hardware calm, sizes tiny, backends xen
c0  hv-pin p0 2
c0  hv-update p0+0 -> p2 writable
c0  hv-update-va p0+0 -> p1 writable
c0  hv-update p0+0 -> p3 writable
c0  hv-update-va p0+0 empty
