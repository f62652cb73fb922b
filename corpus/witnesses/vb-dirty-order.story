story 1
under bug vb-dirty-order
// The slot is dirty and its entry still there when the first drain flushes and calls the slot clean. A walker of c1
// brings the translation back, and the second drain finds nothing to do.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  map-ram p0+1 -> r0
c0  unmap-ram r0            pause before load pgd
c1  drain-aliases
c1  fill r0+0
c0  continue
c1  drain-aliases
