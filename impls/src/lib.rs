//! The kernels under test: the vmap layer as a kernel has it, written once over a paravirt layer with native hardware
//! and Xen behind it, and the hypervisor beneath the latter.
//!
//! The code reads like a kernel. Designs and defects are data in [`protocol`]; what a caller holds is named by slots,
//! in `callers`; everything that two CPUs can see goes through [`machine::Cpu`].
//!
//! # Floors
//!
//! A module uses only what stands on floors below its own, so that there is no circle of calls: what a lower floor needs of a
//! higher one is handed down, as a drain of aliases is to what makes page tables. [`Kernel`] alone is known everywhere,
//! for it stands where a kernel has statics: its fields and methods belong to the modules that define them. The floors from the
//! lowest to the highest, which a test keeps:
//!
//! 1. `family`, `pgtable`, `protocol`, `rbtree`, `smp`, `vpn`, `vmalloc::slot_map`: names, numbers and plain data
//! 2. `flush_request`, `sizes`, `sync`, `user_layout`, `vmalloc::busy_areas`, `vmalloc::free_space`
//! 3. `hypervisor`, `paravirt`, `vmalloc::space`: what lies beneath the kernel, and what the kernel asks of it
//! 4. `hardware`, `page_alloc`, `xen`: kernels with tables of their own, and with tables that a hypervisor guards
//! 5. `hyperv`, `kvm`, `native`
//! 6. `base`: the platform, the protocol, the sizes and the free pages
//! 7. `alias_table`, `direct_map`, `page_flags`, `page_ref`, `quicklist`, `tlbflush`
//! 8. `table_pages`
//! 9. `kernel_tables`: the tables of `init_mm` and the copies of them
//! 10. `fault`, `vmalloc::lazy`
//! 11. `vmalloc::block`, `vmalloc::vm_struct`
//! 12. `vmalloc::purge`: drains
//! 13. `vmalloc::area`
//! 14. `vmalloc::memory_type`, `vmalloc::new_block`, `vmalloc::vmap`
//! 15. `vmalloc::map_ram`, `vmalloc::vmalloc_area`
//! 16. `dma`, `mm`, `pinning`, `vmalloc::huge`, `vmalloc`
//! 17. `table_tree`
//! 18. `process`
//! 19. `callers`: one arm an operation
//! 20. `kernel`: boot, interrupts, teardown

pub mod alias_table;
pub mod base;
pub mod callers;
pub mod direct_map;
pub mod dma;
pub mod family;
mod fault;
pub mod flush_request;
pub mod hardware;
pub mod hyperv;
pub mod hypervisor;
pub mod kernel;
pub mod kernel_tables;
pub mod kvm;
pub mod mm;
pub mod native;
pub mod page_alloc;
pub mod page_flags;
pub mod page_ref;
pub mod paravirt;
pub mod pgtable;
mod pinning;
mod process;
pub mod protocol;
pub mod quicklist;
pub mod rbtree;
pub mod sizes;
pub mod smp;
pub mod sync;
pub mod table_pages;
pub mod table_tree;
pub mod tlbflush;
pub mod user_layout;
pub mod vmalloc;
pub mod vpn;
pub mod xen;

pub use base::Base;
pub use callers::astray;
pub use flush_request::FlushRequest;
pub use hyperv::HyperV;
pub use kernel::{Kernel, Task};
pub use kvm::Kvm;
pub use native::Native;
pub use paravirt::{Pfn, PvExchange, PvFlush, PvMmu, PvSwitch, PvTables, RawCalls, Refused, Wanted};
pub use protocol::{Designs, Protocol, Step};
pub use sizes::Sizes;
pub use vpn::{PageRange, Vpn};
pub use xen::Xen;
