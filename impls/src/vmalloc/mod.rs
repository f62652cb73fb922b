//! The vmap layer: address space for kernel mappings, handed out, taken back lazily, and handed out again.
pub mod busy_areas;
pub mod free_space;
