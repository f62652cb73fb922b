//! The hypervisors beneath the paravirtual kernels. They trust no guest: they check here what a guest asks.

pub mod xen;
