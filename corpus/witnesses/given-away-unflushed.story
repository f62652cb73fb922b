story 1
under bug given-away-unflushed
finds rule 7 (hypervisor): a CPU can reach memory of another domain
// c1's walker caches where b0 lies as its entry is zapped. c0 has exchanged the frame and waits for c1 to forget the old one:
// that is d1's by now.
cpus 2, hardware eager-walkers, sizes tiny, backends native xen
c0  dma-alloc p0+1 -> b0    pause before wait hypervisor_ack
d1  touch
