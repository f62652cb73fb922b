story 1
under bug pat-alias-direct-map
finds rule 12 (permissions and memory types): a page has two memory types
// The area leads to its page write-combining, the direct map write-back.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-wc a0
