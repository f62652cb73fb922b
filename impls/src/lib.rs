//! The kernels under test: the vmap layer as a kernel has it, written once over a paravirt layer with native hardware
//! and Xen behind it, and the hypervisor beneath the latter.
//!
//! The code reads like a kernel. Designs and defects are data in [`protocol`]; what a caller holds is named by slots,
//! in `callers`; everything that two CPUs can see goes through [`machine::Cpu`].

pub mod alias_table;
pub mod astray;
pub mod callers;
pub mod direct_map;
pub mod dma;
pub mod family;
pub mod hypervisor;
pub mod kernel;
pub mod kernel_tables;
pub mod mm;
pub mod native;
pub mod page_alloc;
pub mod page_flags;
pub mod paravirt;
mod process;
pub mod protocol;
pub mod quicklist;
pub mod rbtree;
pub mod sizes;
pub mod sync;
pub mod table_pages;
pub mod table_tree;
pub mod tlbflush;
pub mod vmalloc;
pub mod xen;

pub use kernel::{Kernel, Task};
pub use native::Native;
pub use paravirt::{PageRange, Pfn, PvMmu, Refused, Wanted};
pub use protocol::{Designs, Protocol, Step};
pub use sizes::Sizes;
pub use xen::Xen;
