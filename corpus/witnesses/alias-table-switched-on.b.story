story 1
under bug alias-table-switched-on.b
// Nobody counted a0 when it was made.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  vunmap a0
