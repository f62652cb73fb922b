story 1
under bug drop-before-store
// p1 becomes a table while an entry still leads to it. The walkers come by as it is cleared.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-pin p0 1
c0  hv-update p0+0 -> p1 writable
c0  hv-update p0+0 empty    pause before locked pte
c1  hv-pin p1 1
c0  continue
