story 1
under bug set-memory-direct-map
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// The area is read-only, and the direct map of its page as writable as before.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-ro a0
