story 1
under bug large-leaf-in-one-mm
finds rule 12 (permissions and memory types): a page that was made read-only can be written
// m0 has a copy of the entry by which a0 is mapped, and c0 goes by that: it stays writable.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  new-mm -> m0
c0  vmalloc-huge +1 -> a0
c0  switch-mm m0
c0  set-memory-ro a0
