//! The vocabulary of operations, and the simple reference that judges what they return.
//!
//! The crate knows neither the machine nor the kernels: flat maps, no page tables, no TLB, no locks and no
//! frames. Kernels are built against the [`vocabulary`] alone; the reference is behind the feature `reference`,
//! which `impls` leaves off.
//!
//! With it, [`contract`] is the numbered list of what counts as a crash and of what does not, and [`Reference`]
//! judges the outcomes of one backend.
#[cfg(feature = "reference")]
mod contents;
#[cfg(feature = "reference")]
pub mod contract;
#[cfg(feature = "reference")]
mod handle;
#[cfg(feature = "reference")]
mod mappings;
#[cfg(feature = "reference")]
pub mod reference;
#[cfg(feature = "reference")]
mod room;
#[cfg(feature = "reference")]
mod spaces;
#[cfg(feature = "reference")]
pub mod verdict;
pub mod vocabulary;

#[cfg(feature = "reference")]
pub use contract::Rule;
#[cfg(feature = "reference")]
pub use reference::{LiveMapping, Reference, Ticket};
#[cfg(feature = "reference")]
pub use verdict::{Illegal, Kind, Verdict};
