story 1
// m0 is still being dropped when m1 gets the page of its root, and is loaded.
cpus 2, hardware lifo-reuse, sizes tiny, backends native
c0  new-mm -> m0
c0  switch-mm m0
c1  drop-mm m0              pause before role #5
c0  new-mm -> m1
c0  switch-mm m1
