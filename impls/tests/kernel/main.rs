//! The kernel as its callers use it, one operation at a time, on every platform.

mod bench;
mod drains;
mod mm;
mod table_reserve;
mod user;
mod vmap;
mod xen_table_pages;
