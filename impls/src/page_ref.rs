//! Pages that address spaces map or callers pin: how many references there are to each, how many entries lead to it, and how
//! often it is pinned. Each count is a word of its own, since they are changed under different locks, or under none.
//!
//! The last reference gives the page back. A walker that found a page in a table, and holds no lock, takes a reference only if
//! there is one still:
//!
//! ```text
//!   c0 gup-fast, without that             c1 munmap
//!   loads the entry: the page
//!                                         clears it, flushes, drops the last reference: the page is free
//!   takes a reference: of a page that is nobody's, or another's by now
//! ```
//!
//! which breaks rule 6.

use crate::base::Base;
use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use machine::{Bus, Cpu, VarArray};

/// The counts of all pages.
#[derive(Debug)]
pub struct PageCounts {
    refs: VarArray,
    maps: VarArray,
    pins: VarArray,
}

impl PageCounts {
    /// No page is in use.
    pub fn new(bus: &Bus, pages: u32) -> Self {
        let counts = |family| bus.memory.vars(family, pages as usize);
        Self {
            refs: counts(family::PAGE_REF),
            maps: counts(family::MAP_COUNT),
            pins: counts(family::PIN_COUNT),
        }
    }

    /// Variables needed for this number of pages.
    pub const fn vars(pages: u32) -> u32 {
        3 * pages
    }

    /// A page was allocated, and its one reference is the caller's. No other CPU knows it.
    pub(crate) fn begin(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.store(self.refs.at(pfn.index()), 1);
    }

    /// Another reference, for a caller that holds one or a lock which keeps one (`get_page`).
    pub(crate) fn get(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.fetch_add(self.refs.at(pfn.index()), 1);
    }

    /// A reference if there is one already (`try_grab_folio`). Returns whether it was taken.
    pub(crate) fn try_get(&self, cpu: &Cpu<'_>, pfn: Pfn) -> bool {
        cpu.update(self.refs.at(pfn.index()), |refs| (refs != 0).then_some(refs + 1)) != 0
    }

    /// Takes all references away if there are this many (`folio_ref_freeze`): from then on no walker gets one. Returns whether it
    /// did.
    pub(crate) fn freeze(&self, cpu: &Cpu<'_>, pfn: Pfn, expected: u64) -> bool {
        cpu.compare_exchange(self.refs.at(pfn.index()), expected, 0).is_ok()
    }

    /// Drops a reference; with the last one the page goes back to the allocator (`put_page`).
    pub(crate) fn put<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) {
        match cpu.fetch_sub(self.refs.at(pfn.index()), 1) {
            0 => cpu.bug("a reference to a page is dropped that was not held"),
            1 => base.free_page(cpu, pfn),
            _ => {}
        }
    }

    /// One more entry leads to the page (`folio_add_rmap_pte`).
    pub(crate) fn map(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.fetch_add(self.maps.at(pfn.index()), 1);
    }

    /// One entry fewer leads to it (`folio_remove_rmap_pte`).
    pub(crate) fn unmap(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        if cpu.fetch_sub(self.maps.at(pfn.index()), 1) == 0 {
            cpu.bug("an entry is gone that was never counted");
        }
    }

    /// A caller that has a reference pins the page (`FOLL_PIN`).
    pub(crate) fn pin(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.fetch_add(self.pins.at(pfn.index()), 1);
    }

    /// The caller pins it no more, and drops its reference (`unpin_user_page`).
    pub(crate) fn unpin<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) {
        if cpu.fetch_sub(self.pins.at(pfn.index()), 1) == 0 {
            cpu.bug("a page is unpinned that was not pinned");
        }
        self.put(base, cpu, pfn);
    }

    /// What is left of the counts, while no CPU runs: none has a reason once nothing is mapped or pinned.
    pub(crate) fn leftovers(&self, bus: &Bus) -> Option<String> {
        let kinds = [(self.refs, "referenced"), (self.maps, "mapped"), (self.pins, "pinned")];
        kinds.into_iter().find_map(|(counts, what)| {
            let left = bus.memory.values(counts, 0..counts.len()).filter(|count| *count != 0).count();
            (left != 0).then(|| format!("{left} pages still count as {what}"))
        })
    }
}
