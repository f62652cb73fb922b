//! Callers make pages page tables, as for a process under construction, and take them back.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use machine::Cpu;
use oracle::vocabulary::{MAX_PAGES, Outcome, PageList, PageSlot, TreeSlot};

use super::{HeldPage, HeldTree, pinned};

impl<P: PvMmu> Kernel<P> {
    /// A page becomes a page table. Where the platform allows tables no alias, none of it may be left (seed 004): an
    /// entry that was not cleared yet still counts as a writable mapping of the page.
    pub(super) fn make_table(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let slot = &self.callers.pages[page.index()];
        let held = slot.get()?;
        let Ok(pfn) = self.table_page(cpu, held.pfn) else { return Some(Outcome::WouldSleep) };
        slot.set(Some(HeldPage { pfn, table: false }));
        self.clear_page(cpu, pfn);
        let made = self.pin_or_fix_up(cpu, || self.pv.pin_table(cpu, pfn));
        slot.set(Some(HeldPage { pfn, table: made.is_ok() }));
        Some(pinned(made))
    }

    pub(super) fn unmake_table(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let held = self.callers.pages[page.index()].get().filter(|held| held.table)?;
        self.pv.unpin_table(cpu, held.pfn);
        self.clear_page(cpu, held.pfn);
        let pfn = self.keep_clean_page(cpu, held.pfn);
        self.callers.pages[page.index()].set(Some(HeldPage { pfn, table: false }));
        Some(Outcome::Done)
    }

    /// Pages become the page tables of a process under construction.
    pub(super) fn make_tree(&self, cpu: &Cpu<'_>, list: &PageList, tree: TreeSlot) -> Option<Outcome> {
        let mut buffer = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(list, &mut buffer)?;
        let made = self.pin_tree(cpu, pages);
        self.callers.replace_pages(list, pages);
        if made.is_ok() {
            self.callers.trees[tree.index()].set(Some(HeldTree { pages: *list }));
        }
        Some(pinned(made))
    }

    pub(super) fn unmake_tree(&self, cpu: &Cpu<'_>, tree: TreeSlot) -> Option<Outcome> {
        let held = self.callers.trees[tree.index()].take()?;
        let mut buffer = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(&held.pages, &mut buffer)?;
        self.unpin_tree(cpu, pages);
        self.callers.replace_pages(&held.pages, pages);
        Some(Outcome::Done)
    }
}
