story 1
under bug vb-dirty-order
finds rule 5 (drain): an alias is left in a TLB
// The slot is dirty and its entry still there when c1's drain flushes and calls the slot clean. Before c0 begins
// another operation it ends this one: a walker brings the translation back as the entry is cleared, and the second drain
// finds nothing to do.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  map-ram p0+1 -> r0
c0  unmap-ram r0            pause before load pgd
c1  drain-aliases
c0  drain-aliases
