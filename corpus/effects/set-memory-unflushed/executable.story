story 1
under bug set-memory-unflushed
// c0 has executed the page, and remembers that it may when nobody may any more.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmalloc +1 -> a0
c0  set-memory-rox a0
c0  exec a0+0
c0  set-memory-rw a0
