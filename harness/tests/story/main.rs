//! Stories: bytes, text, resolution, mutation and generation.

mod bytes;
mod contract;
mod generation;
mod mutation;
mod resolution;
mod strategy;
mod text;
