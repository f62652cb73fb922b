//! The page tables of a process under construction: a tree that is linked while its pages are still ordinary memory, and
//! becomes tables by one call of the platform (`xen_pgd_pin`), which validates all of it.
//!
//! It is what seed 004 means by the tables for which draining can be deferred: no CPU runs on them before the pin.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::TABLE_FLAGS;
use crate::pinning::NotPinned;
use crate::protocol::TableDrain;
use machine::paging::LEVELS;
use machine::{Cpu, Word};

/// The level of the table at a place: the root, one table of each level below it, and the rest of the lowest level.
fn level_of(place: usize) -> u8 {
    LEVELS.saturating_sub(place as u8).max(1)
}

/// Where the table at a place hangs: by which entry of the table at which place. Not for the root.
fn parent_of(place: usize) -> (usize, usize) {
    let last_upper = usize::from(LEVELS) - 2;
    if place <= last_upper { (place - 1, 0) } else { (last_upper, place - last_upper - 1) }
}

impl<P: PvMmu> Kernel<P> {
    /// Makes a tree of tables of these pages, which their caller holds and does not map. Another page may stand in the place
    /// of one afterwards. Where it fails, all are ordinary zeroed pages.
    pub(crate) fn pin_tree(&self, cpu: &Cpu<'_>, pages: &mut [Pfn]) -> Result<(), NotPinned> {
        self.construct_and_pin(cpu, pages).inspect_err(|_| self.dismantle(cpu, pages))
    }

    fn construct_and_pin(&self, cpu: &Cpu<'_>, pages: &mut [Pfn]) -> Result<(), NotPinned> {
        for place in 0..pages.len() {
            self.link_into_tree(cpu, pages, place)?;
        }
        self.pin_linked(cpu, pages)
    }

    /// Whether each page is seen to when it comes into a tree, and not all together at the pin.
    fn drains_one_by_one(&self) -> bool {
        match self.protocol.designs.table_drain {
            TableDrain::Always | TableDrain::HighOnly | TableDrain::CleanCache => true,
            TableDrain::Never
            | TableDrain::FirstPin
            | TableDrain::PageFlag
            | TableDrain::SideTable
            | TableDrain::SideTableOnRequest
            | TableDrain::FixUp => false,
        }
    }

    /// The page at a place of a tree becomes a table of it, though not to the platform. Those before it have.
    pub(crate) fn link_into_tree(
        &self,
        cpu: &Cpu<'_>,
        pages: &mut [Pfn],
        place: usize,
    ) -> Result<(), NotPinned> {
        if self.drains_one_by_one() {
            pages[place] = self.table_page(cpu, pages[place])?;
        }
        let level = level_of(place);
        self.clear_page(cpu, pages[place]);
        self.pv.begin_table(cpu, pages[place], level);
        if place > 0 {
            let (above, index) = parent_of(place);
            let word = Word::new(self.pv.frame_of(pages[above]), index);
            let entry = self.pv.make_entry(pages[place], TABLE_FLAGS);
            self.pv.link_table(cpu, word, level + 1, entry);
        }
        Ok(())
    }

    /// A tree that is linked becomes page tables.
    pub(crate) fn pin_linked(&self, cpu: &Cpu<'_>, pages: &[Pfn]) -> Result<(), NotPinned> {
        if !self.drains_one_by_one() {
            self.table_pages.drain_for(self, cpu, pages, &|| self.vm_unmap_aliases(cpu))?;
        }
        self.pin_or_fix_up(cpu, || self.pv.pin_tree(cpu, pages[0]))
    }

    /// Takes a tree of tables apart.
    pub(crate) fn unpin_tree(&self, cpu: &Cpu<'_>, pages: &mut [Pfn]) {
        self.pv.unpin_tree(cpu, pages[0]);
        self.dismantle(cpu, pages);
        for pfn in pages {
            *pfn = self.keep_clean_page(cpu, *pfn);
        }
    }

    /// The pages are no tables any more, or never were.
    pub(crate) fn dismantle(&self, cpu: &Cpu<'_>, pages: &[Pfn]) {
        for pfn in pages {
            self.pv.end_table(cpu, *pfn);
            self.clear_page(cpu, *pfn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_hangs_one_level_below_its_parent_and_no_two_by_one_entry() {
        let parents: Vec<_> = (1..8).map(parent_of).collect();
        for (place, (above, _)) in (1..8).zip(&parents) {
            assert_eq!((*above < place, level_of(*above)), (true, level_of(place) + 1), "{place}");
        }
        assert!(parents.iter().enumerate().all(|(at, parent)| !parents[..at].contains(parent)));
        assert_eq!([0, 1, 2, 3, 4, 7].map(level_of), [4, 3, 2, 1, 1, 1]);
    }
}
