//! The kernels under test.
pub mod family;
pub mod sizes;

pub use sizes::Sizes;
