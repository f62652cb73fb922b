story 1
// The large entry of the second area stands in the kernel's own tables, and not in m0 yet. What lay behind it is its own now.
cpus 2, hardware calm, sizes tiny, backends native, designs kernel_sync=on-fault
c0  vmalloc-huge +2 -> a0
c0  vfree a0
c0  new-mm -> m0
c0  switch-mm m0
c0  vmalloc-huge +1 -> a0
c0  drain-aliases
