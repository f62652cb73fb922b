story 1
under bug freed-as-region
finds rule 10 (rest): the guest's pages and frames do not match one to one
// The device reaches all memory. The first segment of the buffer gets two low frames, as no others follow each other, and the
// second a high one. In the end the buffer is freed: the frame that comes after the low ones is that of another page.
cpus 1, hardware calm, sizes tiny, backends native xen
c0  dma-alloc-wide p0+3 -> b0
