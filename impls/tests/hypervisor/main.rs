//! The hypervisor beneath Xen, asked by a guest that goes astray: what it refuses, what it counts, whom its flushes
//! reach, and what it never lets happen in whatever order two CPUs ask.

mod books;
mod exchange;
mod flushes;
mod guest;
mod races;
mod refusals;
