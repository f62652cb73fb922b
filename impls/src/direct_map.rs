//! The direct map: physical memory, mapped once and for good from [`PAGE_OFFSET`] on, and the pages that are reached
//! through it.
//!
//! A real one holds all memory, or under a 32-bit hypervisor all that is not high. Here it holds one small zone, from
//! which `vmalloc` takes its pages and nothing else does. Pages that callers allocate and pages that become page tables
//! come from the other zone, which is high memory and reached by its physical address; so no page table ever has an
//! alias here that would have to be made read-only first, as a hypervisor wants it of low memory.
//!
//! Beside it lie the pages of 2 MiB, each mapped by one large entry, where the platform has any: `vmalloc_huge` takes them.
//!
//! An entry of the direct map is changed only on behalf of the area that owns the page, and is back at the default when
//! the page goes back to the zone.

use crate::base::Base;
use crate::family;
use crate::page_alloc::PageAllocator;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::TABLE_FLAGS;
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep};
use crate::vpn::{PageRange, Vpn};
use machine::paging::{LARGE_MEMORY, LEVELS, index};
use machine::{Bus, Cpu, Entry, Flags, Frame, Role, Word};
use std::rc::Rc;

/// Where the direct map begins (`PAGE_OFFSET`).
pub const PAGE_OFFSET: u64 = 0xffff_8880_0000_0000;

/// Flags of an entry of the direct map, unless the area that owns the page has others.
pub const DEFAULT: Flags = TABLE_FLAGS.union(Flags::GLOBAL).union(Flags::NO_EXECUTE);

const LARGE_LOCK: LockClass = LockClass { family: family::LARGE_ZONE_LOCK, name: "zone->lock (large pages)" };

const LOW_LOCK: LockClass = LockClass { family: family::LOW_ZONE_LOCK, name: "zone->lock (low memory)" };

/// Its lowest table, and the zone that it maps.
#[derive(Debug)]
pub struct DirectMap {
    first: u32,
    table: Frame,
    /// The table above that, which holds the large entries.
    above: Frame,
    /// The free pages of the zone.
    pub(crate) free: PageAllocator,
    /// The free large pages, each by its first.
    pub(crate) free_large: PageAllocator,
}

impl DirectMap {
    /// Its tables, by level from the lowest: frames of the zone, so that the other zone keeps all of its own.
    const TABLES: u32 = LEVELS as u32 - 1;

    /// Builds the tables under this root. Returns them with their levels, for the platform to adopt.
    pub fn boot<P: PvMmu>(
        bus: &Bus,
        lockdep: &Rc<Lockdep>,
        pv: &P,
        sizes: Sizes,
        root: Pfn,
    ) -> (Self, [(Pfn, u8); Self::TABLES as usize]) {
        let tables = [1, 2, 3].map(|level| (Pfn(sizes.first_low_frame() + u32::from(level) - 1), level));
        let mut above = root;
        for (pfn, level) in tables.into_iter().rev() {
            bus.memory.set_role(pv.frame_of(pfn), Role::Table(level));
            let word = Word::new(pv.frame_of(above), index(PAGE_OFFSET, level + 1));
            bus.boot_word(word, pv.make_entry(pfn, TABLE_FLAGS).0);
            above = pfn;
        }
        let first = sizes.first_low_frame() + Self::TABLES;
        let pages = first..first + Sizes::LOW_PAGES;
        let table = pv.frame_of(tables[0].0);
        for pfn in pages.clone() {
            let word = Word::new(table, (pfn - first) as usize);
            bus.boot_word(word, pv.make_entry(Pfn(pfn), DEFAULT).0);
        }
        let table_above = pv.frame_of(tables[1].0);
        for frame in bus.memory.large_pages() {
            let pfn = pv.pfn_of(frame);
            let word = Word::new(table_above, index(page_of_large(pfn).address(), 2));
            bus.boot_word(word, pv.make_entry(pfn, DEFAULT | Flags::HUGE_PAGE).0);
        }
        let large = bus.memory.large_pages().map(|frame| frame.0);
        let free_large = PageAllocator::of_pages(bus, LARGE_LOCK, lockdep, large);
        // Neighbours are not handed out one after the other: nothing but luck makes the pages of an area contiguous.
        let free = PageAllocator::of_pages(
            bus,
            LOW_LOCK,
            lockdep,
            pages.clone().step_by(2).chain(pages.skip(1).step_by(2)),
        );
        (Self { first, table, above: table_above, free, free_large }, tables)
    }

    /// The entry of the root that leads to all of it.
    pub(crate) fn index_in_root() -> usize {
        index(PAGE_OFFSET, LEVELS)
    }

    /// The kernel page at which a page of the zone is mapped (`__va`).
    pub fn page_of(&self, pfn: Pfn) -> Vpn {
        if pfn.0 >= LARGE_MEMORY {
            page_of_large(pfn)
        } else {
            Vpn::of(PAGE_OFFSET) + u64::from(pfn.0 - self.first)
        }
    }

    /// Sets the entry of a large page, or clears it with no flags. Flushes nothing.
    #[track_caller]
    pub fn set_large<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn, flags: Flags) {
        let entry =
            if flags.is_empty() { Entry::EMPTY } else { base.pv.make_entry(pfn, flags | Flags::HUGE_PAGE) };
        let word = Word::new(self.above, index(page_of_large(pfn).address(), 2));
        if base.pv.set_entry(cpu, word, 2, entry).is_err() {
            cpu.bug("the platform refuses a large entry of the direct map");
        }
    }

    /// Sets the entry of a page, or clears it with no flags. Flushes nothing (`set_direct_map_*_noflush`).
    #[track_caller]
    pub fn set<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn, flags: Flags) {
        let va = self.page_of(pfn).address();
        let entry = if flags.is_empty() { Entry::EMPTY } else { base.pv.make_entry(pfn, flags) };
        let word = Word::new(self.table, index(va, 1));
        if base.pv.set_pte_at(cpu, va, word, entry).is_err() {
            cpu.bug("the platform refuses an entry of the direct map");
        }
    }

    /// The runs of neighbours among these pages, as kernel addresses.
    pub fn runs(&self, pages: &[Pfn]) -> Vec<PageRange> {
        let mut all: Vec<_> = pages.iter().map(|pfn| self.page_of(*pfn)).collect();
        all.sort_unstable();
        let mut runs: Vec<PageRange> = Vec::new();
        for first in all {
            match runs.last_mut() {
                Some(run) if run.first + run.pages == first => run.pages += 1,
                _ => runs.push(PageRange { first, pages: 1 }),
            }
        }
        runs
    }
}

/// Where a page of 2 MiB, or one within it, lies in the direct map: behind the zone, at the next 2 MiB and so on.
fn page_of_large(pfn: Pfn) -> Vpn {
    Vpn::of(PAGE_OFFSET + machine::paging::span(2)) + u64::from(pfn.0 - LARGE_MEMORY)
}
