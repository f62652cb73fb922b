//! The vmap layer (seed 004): address space for kernel mappings, handed out, taken back lazily, and handed out again.
//!
//! A freed range has three states, and only in the last may it be handed out again (seed 000):
//!
//! ```text
//!   in use ──vunmap──▶ Mapped ──clear──▶ Cleared ──flush everywhere──▶ Flushed ──▶ free
//!                      (on the lazy list, or dirty in a block)
//! ```
//!
//! By design the entries are cleared in vunmap or by the purge ([`crate::protocol::PteClear`]); a drain that is about tables
//! only stops at `Cleared`, and the range stays reserved.
//!
//! `area` hands ranges out of [`space`]; [`lazy`] and [`purge`] take them back; [`block`] and `new_block` are the per-CPU front
//! end for small mappings; `vmap`, `map_ram`, `vmalloc_area`, `memory_type` and `huge` are what callers see. `vm_unmap_aliases`
//! is in [`purge`].

mod area;
pub mod block;
pub mod busy_areas;
pub mod free_space;
mod huge;
pub mod lazy;
mod map_ram;
mod memory_type;
mod new_block;
pub mod purge;
mod slot_map;
pub mod space;
pub mod vm_struct;
mod vmalloc_area;
mod vmap;

use crate::family;
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, Mutex};
use crate::vpn::Vpn;
use lazy::LazyList;
use machine::Bus;
use space::Space;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use vm_struct::VmStruct;

const PURGE_LOCK: LockClass = LockClass { family: family::PURGE_LOCK, name: "vmap_purge_lock" };

/// The state of the vmap layer.
#[derive(Debug)]
pub struct Vmalloc {
    space: Space,
    lazy: LazyList,
    /// A CPU that takes ranges from "unmapped, not flushed" to "free" holds this from the moment it collects them until
    /// after the flush.
    purge: Mutex<()>,
    pub(crate) blocks: block::Blocks,
    /// The areas that own their pages, by the first page of their addresses; each is its caller's to change.
    owners: RefCell<BTreeMap<Vpn, VmStruct>>,
}

impl Vmalloc {
    /// Everything is free.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, sizes: Sizes) -> Self {
        Self {
            space: Space::new(bus, lockdep, sizes),
            lazy: LazyList::new(bus, lockdep),
            purge: Mutex::new(bus, lockdep, PURGE_LOCK, ()),
            blocks: block::Blocks::new(bus, lockdep, sizes),
            owners: RefCell::default(),
        }
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8, sizes: Sizes) -> u32 {
        8 + block::Blocks::vars(cpus, sizes)
    }

    /// What is left although everything was given back; the words name it.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = self.space.leftovers();
        if self.lazy.is_outstanding(bus) {
            left.push("lazily unmapped areas are outstanding after the last purge".to_owned());
        }
        if !self.owners.borrow().is_empty() {
            left.push("areas still own pages".to_owned());
        }
        left.extend(self.blocks.leftovers(bus));
        left
    }
}
