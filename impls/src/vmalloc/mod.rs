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
//! [`area`] hands ranges out; [`purge`] takes them back; [`block`] is the per-CPU front end for small mappings;
//! `vmap`, `map_ram`, [`vmalloc_area`] and `huge` are what callers see. `vm_unmap_aliases` is in [`purge`].

pub mod area;
pub mod block;
pub mod busy_areas;
pub mod free_space;
mod huge;
mod map_ram;
mod memory_type;
pub mod purge;
mod slot_map;
pub mod vmalloc_area;
mod vmap;

use crate::family;
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, Mutex, SpinLock};
use busy_areas::BusyAreas;
use free_space::{FreeSpace, Reuse};
use machine::{Bus, Temperament, Var};
use purge::LazyArea;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use vmalloc_area::VmStruct;

const FREE_AREA_LOCK: LockClass = LockClass { family: family::FREE_AREA_LOCK, name: "free_vmap_area_lock" };
const AREA_LOCK: LockClass = LockClass { family: family::AREA_LOCK, name: "vmap_area_lock" };
const LAZY_LOCK: LockClass = LockClass { family: family::LAZY_LOCK, name: "purge_vmap_area_lock" };
const PURGE_LOCK: LockClass = LockClass { family: family::PURGE_LOCK, name: "vmap_purge_lock" };

/// The state of the vmap layer.
#[derive(Debug)]
pub struct Vmalloc {
    free: SpinLock<FreeSpace>,
    busy: SpinLock<BusyAreas>,
    lazy: SpinLock<Vec<LazyArea>>,
    /// Whoever takes ranges from "unmapped, not flushed" to "free" holds this from the moment it collects them until
    /// after the flush.
    purge: Mutex<()>,
    /// Pages on the lazy list, or taken from it by a purge that has not flushed yet.
    lazy_pages: Var,
    pub(crate) blocks: block::Blocks,
    /// The areas that own their pages, by the number of their first; each is its caller's to change.
    owners: RefCell<BTreeMap<u64, VmStruct>>,
    reuse: Reuse,
}

impl Vmalloc {
    /// Everything is free.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, sizes: Sizes) -> Self {
        let first = sizes.vmalloc_first();
        let free = FreeSpace::new(first, first + sizes.vmalloc_pages());
        let lifo = bus.temperament().contains(Temperament::LIFO_REUSE);
        Self {
            free: SpinLock::new(bus, lockdep, FREE_AREA_LOCK, free),
            busy: SpinLock::new(bus, lockdep, AREA_LOCK, BusyAreas::new()),
            lazy: SpinLock::new(bus, lockdep, LAZY_LOCK, Vec::new()),
            purge: Mutex::new(bus, lockdep, PURGE_LOCK, ()),
            lazy_pages: bus.memory.var(family::LAZY_PAGES),
            blocks: block::Blocks::new(bus, lockdep, sizes),
            owners: RefCell::default(),
            reuse: if lifo { Reuse::LastFreed } else { Reuse::FirstFit },
        }
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8, sizes: Sizes) -> u32 {
        8 + block::Blocks::vars(cpus, sizes)
    }

    /// What is left although everything was given back; the words name it.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = Vec::new();
        if !self.free.peek(FreeSpace::is_whole) {
            left.push("vmap address space is not whole again".to_owned());
        }
        if !self.busy.peek(BusyAreas::is_empty) {
            left.push("vmap areas are still in use".to_owned());
        }
        if !self.lazy.peek(Vec::is_empty) || bus.memory.value(self.lazy_pages) != 0 {
            left.push("lazily unmapped areas are outstanding after the last purge".to_owned());
        }
        if !self.owners.borrow().is_empty() {
            left.push("areas still own pages".to_owned());
        }
        left.extend(self.blocks.leftovers(bus));
        left
    }
}
