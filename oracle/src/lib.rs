//! The vocabulary of operations, and the simple reference that judges what kernels answer.
//!
//! The crate knows neither the machine nor the kernels: flat maps, no page tables, no TLB, no locks and no frames. Kernels
//! are built against the [`vocabulary`] alone. The feature `reference` adds the reference; `impls` leaves it off.
//!
//! With the feature, [`contract`] is the numbered list of what counts as a crash and what does not, and [`Reference`]
//! judges the outcomes of one backend.
#[cfg(feature = "reference")]
mod contents;
#[cfg(feature = "reference")]
pub mod contract;
#[cfg(feature = "reference")]
mod mappings;
#[cfg(feature = "reference")]
pub mod reference;
#[cfg(feature = "reference")]
mod room;
#[cfg(feature = "reference")]
mod things;
#[cfg(feature = "reference")]
mod user_memory;
#[cfg(feature = "reference")]
pub mod verdict;
pub mod vocabulary;

#[cfg(feature = "reference")]
pub use contract::Rule;
#[cfg(feature = "reference")]
pub use reference::{LiveMapping, Reference, Ticket, UserPageView};
#[cfg(feature = "reference")]
pub use verdict::{Illegal, Kind, Verdict};
