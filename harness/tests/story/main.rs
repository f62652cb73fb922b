//! Stories: bytes, text, resolution, mutation and generation.

mod bytes;
mod resolution;
mod strategy;
mod text;
