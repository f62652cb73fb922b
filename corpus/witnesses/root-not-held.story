story 1
under bug root-not-held
finds rule 6 (frames): a walk went through a freed table
// A page of data is a root for as long as its caller likes: the walkers of c0 come by.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p1+1 -> a0
c0  hv-load-root p0         pause before cr3 #2
c0  fill a0+0
