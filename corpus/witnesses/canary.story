story 1
under bug canary
finds rule 10 (rest): pages were not given back
// The page is not given back, which shows when everything is torn down.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  free-page p0
