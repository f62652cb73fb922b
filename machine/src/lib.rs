//! A simulated x86-64 multiprocessor.
pub mod point;

pub use point::{Family, Pause, Point, PointKind, Temperament};
