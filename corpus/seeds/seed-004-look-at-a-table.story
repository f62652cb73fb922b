story 1
// A table above the direct map comes back, and is mapped for a look where r0 lay: no alias of r0 is left by the drain.
cpus 2, hardware lifo-reuse, sizes tiny, backends native xen, designs pte_clear=at-purge table_drain=clean-cache
c0  map-ram p0+3 -> r0
c0  unmap-ram r0
c0  make-table p0
c0  unmake-table p0         pause before store table_lock #2
c1  drain-aliases
c0  continue
c1  drain-aliases
