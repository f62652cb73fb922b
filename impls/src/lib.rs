//! The kernels under test.
pub mod family;
pub mod rbtree;
pub mod sizes;
pub mod vmalloc;

pub use sizes::Sizes;
