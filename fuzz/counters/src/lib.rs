//! Nothing but tests, for which `make targets` builds what they read: the engines count the edges of the kernels, of all of
//! them and of nothing else.
