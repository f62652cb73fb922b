story 1
// Pages move to other addresses: one entry, then a whole table, then back to where they came from.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:0+4 anonymous writable
c0  store m0:0
c0  store m0:2
c1  load m0:0
c0  mremap m0:0+1 to :5
c1  load m0:0
c1  load m0:5
c0  mremap m0:2+2 to :6
c1  load m0:6
c1  store m0:6
c0  mremap m0:5+2 to :0
c0  load m0:0
c0  load m0:1
c0  load m0:7
c1  mremap m0:0+2 to :1
c1  munmap m0:0+8
