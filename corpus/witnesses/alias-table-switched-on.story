story 1
under bug alias-table-switched-on
finds rule 7 (hypervisor): the hypervisor refused
// Nobody counted a0, and its entry waits for a purge when p0 becomes a table.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  vmap p0+1 -> a0
c0  track-aliases
c0  vunmap a0
c0  make-table p0
