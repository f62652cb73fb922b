//! Address space: the free part of it, and the index of the areas that are in use.

use super::busy_areas::BusyAreas;
use super::free_space::{FreeSpace, Reuse};
use crate::family;
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, SpinLock};
use crate::vpn::Vpn;
use machine::{Bus, Cpu, Temperament};
use std::rc::Rc;

const FREE_AREA_LOCK: LockClass = LockClass { family: family::FREE_AREA_LOCK, name: "free_vmap_area_lock" };
const AREA_LOCK: LockClass = LockClass { family: family::AREA_LOCK, name: "vmap_area_lock" };

/// Where an area is to lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Wherever there is room, with a multiple of this number as its first page.
    Aligned(u64),
    /// From this page on.
    At(Vpn),
}

/// The address space that vmap and the blocks share.
#[derive(Debug)]
pub(super) struct Space {
    free: SpinLock<FreeSpace>,
    busy: SpinLock<BusyAreas>,
    reuse: Reuse,
}

impl Space {
    /// Everything is free.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>, sizes: Sizes) -> Self {
        let Vpn(first) = sizes.vmalloc_first();
        let free = FreeSpace::new(first, first + sizes.vmalloc_pages());
        let lifo = bus.temperament().contains(Temperament::LIFO_REUSE);
        Self {
            free: SpinLock::new(bus, lockdep, FREE_AREA_LOCK, free),
            busy: SpinLock::new(bus, lockdep, AREA_LOCK, BusyAreas::new()),
            reuse: if lifo { Reuse::LastFreed } else { Reuse::FirstFit },
        }
    }

    /// Takes pages out of the free part. `None` if there is no such place.
    pub(super) fn take(&self, cpu: &Cpu<'_>, pages: u64, place: Place) -> Option<Vpn> {
        let mut free = self.free.lock(cpu);
        match place {
            Place::Aligned(align) => free.alloc(pages, align, self.reuse).map(Vpn),
            Place::At(first) => free.take_within(first.0, pages).then_some(first),
        }
    }

    /// Enters an area into the index: a whole area of vmap, or a block.
    pub(super) fn enter(&self, cpu: &Cpu<'_>, first: Vpn, pages: u64, id: u32) {
        self.busy.lock(cpu).insert(first.0, pages, id);
    }

    /// Takes an area out of the index (`find_unlink_vmap_area`). Returns its length in pages, guard page included.
    pub(super) fn unlink(&self, cpu: &Cpu<'_>, first: Vpn) -> u64 {
        let mut busy = self.busy.lock(cpu);
        let Some((_, pages)) = busy.remove(first.0) else {
            cpu.bug("an area is freed that does not exist");
        };
        pages
    }

    /// Gives runs of pages back to the free part, of which no CPU has a translation.
    pub(super) fn give_back(&self, cpu: &Cpu<'_>, runs: impl Iterator<Item = (Vpn, u64)>) {
        let mut free = self.free.lock(cpu);
        runs.for_each(|(first, pages)| free.free_within(first.0, pages));
    }

    /// Gives an area back that was never mapped.
    pub(super) fn give_back_unmapped(&self, cpu: &Cpu<'_>, first: Vpn, pages: u64) {
        self.unlink(cpu, first);
        self.give_back(cpu, std::iter::once((first, pages)));
    }

    /// What is left although everything was given back; the words name it. While no CPU runs.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        if !self.free.peek(FreeSpace::is_whole) {
            left.push("vmap address space is not whole again".to_owned());
        }
        if !self.busy.peek(BusyAreas::is_empty) {
            left.push("vmap areas are still in use".to_owned());
        }
        left
    }
}
