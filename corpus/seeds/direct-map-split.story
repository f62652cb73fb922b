story 1
// Frames on their way to other owners are not mapped by the hypervisor meanwhile: its large leaves are split and merged, by two
// CPUs at once, held up at each step.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  hv-exchange p0          pause before locked heap_lock
c1  hv-exchange p1          pause before locked map_lock
c0  continue
c1  continue
c0  hv-exchange p2          pause before load xen_pte
c1  hv-exchange p3          pause before locked map_lock
c0  continue                pause before locked xen_pmd
c1  continue
c0  continue
