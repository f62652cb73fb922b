//! Unmapped areas on their way back: the lazy list, and what has to happen to an area before its range is free.
//!
//! An area comes onto the list when it is unmapped. `purge.rs` takes the list, has every CPU forget what was on it, and gives the
//! ranges back.

use crate::family;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::{PteClear, UnmapFlush};
use crate::sync::{LockClass, Lockdep, SpinLock, Work};
use crate::vpn::{PageRange, Vpn};
use machine::{Bus, Cpu, Var};
use std::rc::Rc;

const LAZY_LOCK: LockClass = LockClass { family: family::LAZY_LOCK, name: "purge_vmap_area_lock" };

/// How far an unmapped range has come. The third state is a type of its own, `Flushed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freed {
    /// Its entries are still there.
    Mapped,
    /// No table leads to its pages any more, but some CPU may still have translations of it.
    Cleared,
}

/// By what an area was mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    /// An entry for each page.
    Small,
    /// One large entry for all.
    Large,
}

/// An area that was unmapped, and that some CPU may still have translations of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LazyArea {
    /// Its first page.
    pub first: Vpn,
    /// Its length, guard page included.
    pub pages: u64,
    /// How far it has come.
    pub state: Freed,
    /// By what it was mapped.
    pub leaves: Leaves,
}

/// Areas that no CPU has translations of: these alone may be handed out again. A flush makes them; so do the designs
/// that take it for unnecessary, or put it off to the next use, and nothing else can.
#[derive(Debug)]
pub(super) struct Flushed(Vec<LazyArea>);

impl Flushed {
    /// Without a flush on all CPUs, which the design has for unnecessary or puts off to the next use.
    pub(super) const fn by_design(areas: Vec<LazyArea>) -> Self {
        Self(areas)
    }
}

impl LazyArea {
    fn range(&self) -> PageRange {
        PageRange { first: self.first, pages: self.pages }
    }

    /// What has to be flushed of it.
    pub(super) fn to_flush(self) -> FlushRequest {
        match self.leaves {
            Leaves::Small => FlushRequest::pages(self.range()),
            Leaves::Large => FlushRequest::large_leaf(self.first),
        }
    }

    /// For how much it counts while it is not flushed, in pages.
    pub(super) fn outstanding(&self) -> u64 {
        self.to_flush().range.pages
    }
}

/// The smallest run of pages around all that was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hull {
    start: Vpn,
    end: Vpn,
}

impl Hull {
    pub(super) const EMPTY: Self = Self { start: Vpn(u64::MAX), end: Vpn(0) };

    pub(super) fn add(&mut self, PageRange { first, pages }: PageRange) {
        self.start = self.start.min(first);
        self.end = self.end.max(first + pages);
    }

    pub(super) fn range(&self) -> Option<PageRange> {
        (self.start < self.end).then(|| PageRange { first: self.start, pages: self.end - self.start })
    }
}

/// The lazy list, and for how much it counts.
#[derive(Debug)]
pub(super) struct LazyList {
    pub(super) areas: SpinLock<Vec<LazyArea>>,
    /// Pages on the list, or taken from it by a purge that has not flushed yet (`vmap_lazy_nr`).
    pub(super) pages: Var,
}

impl LazyList {
    /// It is empty.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        Self {
            areas: SpinLock::new(bus, lockdep, LAZY_LOCK, Vec::new()),
            pages: bus.memory.var(family::LAZY_PAGES),
        }
    }

    /// Whether areas are on it, or count as if they were, while no CPU runs.
    pub(super) fn is_outstanding(&self, bus: &Bus) -> bool {
        !self.areas.peek(Vec::is_empty) || bus.memory.value(self.pages) != 0
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Where a range stands when vunmap is done with it, as the design has it.
    pub(super) fn freed(&self) -> Freed {
        match self.protocol.designs.pte_clear {
            PteClear::AtVunmap => Freed::Cleared,
            PteClear::AtPurge => Freed::Mapped,
        }
    }

    /// Takes an area back that is in the index no more, and whose first `mapped` pages are mapped.
    pub(super) fn free_area(&self, cpu: &Cpu<'_>, mut area: LazyArea, mapped: u64) {
        let eager = self.protocol.designs.unmap_flush == UnmapFlush::Eager;
        if eager || self.protocol.designs.pte_clear == PteClear::AtVunmap {
            self.unmap_area(cpu, &area, mapped);
            area.state = Freed::Cleared;
        }
        self.free_cleared_area(cpu, area);
    }

    /// Takes an area back whose entries are cleared, or are to be by the purge.
    pub(super) fn free_cleared_area(&self, cpu: &Cpu<'_>, area: LazyArea) {
        match self.protocol.designs.unmap_flush {
            UnmapFlush::Eager => self.free_vmap_area_flush(cpu, area),
            UnmapFlush::Lazy => self.free_vmap_area_noflush(cpu, area),
        }
    }

    /// Clears the entries of an area whose first `mapped` pages were mapped, and flushes nothing.
    pub(super) fn unmap_area(&self, cpu: &Cpu<'_>, area: &LazyArea, mapped: u64) {
        match area.leaves {
            Leaves::Small => self.unmap_pages(cpu, PageRange { first: area.first, pages: mapped }),
            Leaves::Large => self.tables.unmap_large(self, cpu, area.first),
        }
    }

    /// Puts an unmapped area on the lazy list (`free_vmap_area_noflush`); beyond the threshold, has it purged.
    pub(super) fn free_vmap_area_noflush(&self, cpu: &Cpu<'_>, area: LazyArea) {
        let lazy = &self.vmalloc.lazy;
        let outstanding = cpu.fetch_add(lazy.pages, area.outstanding()) + area.outstanding();
        lazy.areas.lock(cpu).push(area);
        if outstanding > self.sizes.lazy_max_pages(cpu.bus().cpus()) {
            self.work.schedule(cpu, Work::PurgeAreas);
        }
    }

    /// Makes every CPU forget an unmapped area, and gives its range back: the way before the rewrite. The flush stands
    /// before the range is free, as in a purge:
    ///
    /// ```text
    ///   c0, in the other order        c1                              c2
    ///   clear the entries
    ///   give the range back
    ///                                 vmap gets the range, maps it
    ///                                                                 uses its old translation of it
    ///   flush everywhere
    /// ```
    ///
    /// which breaks rule 4. Every unmap pays for its own flush, on all CPUs.
    fn free_vmap_area_flush(&self, cpu: &Cpu<'_>, area: LazyArea) {
        let flushed = self.flush_cleared(cpu, vec![area], area.to_flush());
        self.hand_back(cpu, &flushed);
    }

    /// From `Cleared` to `Flushed`, everywhere. Tables that are used no more go with it: they are unhooked before and freed
    /// after.
    pub(super) fn flush_cleared(
        &self,
        cpu: &Cpu<'_>,
        areas: Vec<LazyArea>,
        request: FlushRequest,
    ) -> Flushed {
        let of_tables = areas.iter().filter(|area| area.leaves == Leaves::Small).map(LazyArea::range);
        let unhooked = self.tables.unhook_unused(self, cpu, of_tables);
        self.flush_and_free(cpu, request, unhooked);
        Flushed(areas)
    }

    /// These ranges may be handed out again.
    pub(super) fn hand_back(&self, cpu: &Cpu<'_>, flushed: &Flushed) {
        self.vmalloc.space.give_back(cpu, flushed.0.iter().map(|area| (area.first, area.pages)));
    }
}
