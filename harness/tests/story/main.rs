//! Stories: bytes, text, resolution, mutation and generation.

mod bytes;
mod generation;
mod mutation;
mod resolution;
mod strategy;
mod text;
