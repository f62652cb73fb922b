story 1
under bug alias-bit-lost-update
finds rule 7 (hypervisor): the hypervisor refused
// c0 has loaded the flags of p0 when c1's vmap sets the alias bit, and stores its old copy: nobody drains for p0.
cpus 2, hardware calm, sizes tiny, backends native xen
c0  set-page-flag p0        pause before store page_flags
c1  vmap p0+1 -> a0
c1  vunmap a0
c0  make-table p0
