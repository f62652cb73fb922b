//! The vocabulary of operations, and the simple reference that judges what they return.
//!
//! The crate knows neither the machine nor the kernels: flat maps, no page tables, no TLB, no locks and no
//! frames. Kernels are built against the [`vocabulary`] alone; the reference is behind the feature `reference`,
//! which `impls` leaves off.
pub mod vocabulary;
