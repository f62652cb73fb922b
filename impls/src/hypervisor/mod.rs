//! The hypervisors beneath the paravirtual kernels. They trust no guest: what a guest may ask is checked here.

pub mod xen;
