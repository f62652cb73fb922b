//! The tables of the user half: they come with the first page that needs them, and go with the last mapping behind them, or when
//! they are empty.
//!
//! Upper entries are set and cleared under `page_table_lock`, leaves under the lock of their table. A table of the lowest level
//! may go while its addresses stay mapped. So a CPU that has found its way to one takes the lock, and looks whether it is still
//! the table:
//!
//! ```text
//!   c0 faults                             c1 free-tables
//!   loads the upper entry: the table
//!                                         the table is empty: clears the upper entry
//!   takes the lock of the table
//!   sets an entry of what is no table any more
//! ```

use super::gather::MmuGather;
use super::vma::Vmas;
use super::{Mm, Nesting, fault::Failed};
use crate::base::DrainAliases;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu, Refused};
use crate::pgtable::{TABLE_FLAGS, Walk, non_zero};
use crate::protocol::{Step, TableDrain};
use crate::sync::SpinGuard;
use crate::user_layout::USER_END;
use crate::vpn::{PageRange, Vpn};
use machine::paging::{LEVELS, index};
use machine::{Cpu, Entry, Flags, Frame, Word};

/// Flags of an entry of the user half that leads to a table (`_PAGE_TABLE`).
const USER_TABLE_FLAGS: Flags = TABLE_FLAGS.union(Flags::USER_ACCESSIBLE);

/// A lowest-level table whose lock is held.
#[derive(Debug)]
pub(super) struct LockedTable<'a> {
    pub(super) table: Frame,
    _lock: SpinGuard<'a, ()>,
}

/// The places of a table of this level, which maps pages from one on, whose entries are for pages of a range.
fn places(start: Vpn, level: u8, range: PageRange) -> std::ops::Range<usize> {
    let each = Vpn::first_of_table(level - 1, 1).0;
    let whole = Vpn::first_of_table(level, 1).0;
    let first = range.first.0.max(start.0) - start.0;
    let end = (range.first.0 + range.pages).min(start.0 + whole).saturating_sub(start.0);
    (first / each) as usize..end.div_ceil(each) as usize
}

impl<P: PvMmu> Kernel<P> {
    /// Where the level-2 entry for a page stands, with a table behind it (`pte_alloc`): tables that are missing are made.
    pub(super) fn alloc_tables(&self, cpu: &Cpu<'_>, mm: &Mm, page: Vpn) -> Result<Word, Failed> {
        let upper = self.alloc_upper_tables(cpu, mm, page)?;
        if !cpu.load_entry(upper, 2).present() {
            self.alloc_table_for(cpu, mm, upper, 2)?;
        }
        Ok(upper)
    }

    /// Where the level-2 entry for a page stands (`pmd_alloc`): upper tables that are missing are made.
    pub(super) fn alloc_upper_tables(&self, cpu: &Cpu<'_>, mm: &Mm, page: Vpn) -> Result<Word, Failed> {
        let mut table = self.pv.frame_of(mm.root());
        for level in (3..=LEVELS).rev() {
            let word = Word::new(table, index(page.address(), level));
            if !cpu.load_entry(word, level).present() {
                self.alloc_table_for(cpu, mm, word, level)?;
            }
            table = cpu.load_entry(word, level).frame();
        }
        Ok(Word::new(table, index(page.address(), 2)))
    }

    /// Makes a table for an entry that has none (`__pte_alloc` and upwards). The page is drained for before the lock is taken: that
    /// may sleep.
    fn alloc_table_for(&self, cpu: &Cpu<'_>, mm: &Mm, word: Word, level: u8) -> Result<(), Failed> {
        let drain: DrainAliases<'_> = &|| self.vm_unmap_aliases(cpu);
        let mut pages = Vec::with_capacity(1);
        let got = self.table_pages.alloc(self, cpu, 1, &mut pages, drain);
        let mut linked = got.is_err().then_some(Err(Refused));
        if linked.is_none() {
            linked = self.link_if_none(cpu, mm, word, level, pages[0]);
            if linked == Some(Err(Refused)) && self.table_drain_is(TableDrain::FixUp) && drain().is_ok() {
                linked = self.link_if_none(cpu, mm, word, level, pages[0]);
            }
        }
        if linked == Some(Ok(())) {
            return Ok(());
        }
        for pfn in pages {
            self.table_pages.free(self, cpu, pfn);
        }
        // Another CPU may have been faster.
        if linked.is_none() { Ok(()) } else { Err(Failed::NoMemory) }
    }

    /// The page becomes a table behind an entry, if that has none by now; `None` if it has.
    fn link_if_none(
        &self,
        cpu: &Cpu<'_>,
        mm: &Mm,
        word: Word,
        level: u8,
        pfn: Pfn,
    ) -> Option<Result<(), Refused>> {
        let _lock = mm.page_table_lock.lock(cpu);
        if cpu.load_entry(word, level).present() {
            return None;
        }
        if let Err(refused) = self.pv.alloc_table(cpu, pfn, level - 1) {
            return Some(Err(refused));
        }
        let linked = self.pv.set_entry(cpu, word, level, self.pv.make_entry(pfn, USER_TABLE_FLAGS));
        if linked.is_err() {
            self.pv.release_table(cpu, pfn, level - 1);
        }
        Some(linked)
    }

    /// The lowest-level table behind an entry, locked, if there is one (`pte_offset_map_lock`).
    pub(super) fn lock_table<'a>(&'a self, cpu: &'a Cpu<'_>, upper: Word) -> Option<LockedTable<'a>> {
        self.lock_table_as(cpu, upper, Nesting::Outer)
    }

    /// The same while another table is locked. `mmap_lock` is held to write: no other CPU locks two tables of the address space.
    pub(super) fn lock_second_table<'a>(&'a self, cpu: &'a Cpu<'_>, upper: Word) -> Option<LockedTable<'a>> {
        self.lock_table_as(cpu, upper, Nesting::Inner)
    }

    fn lock_table_as<'a>(
        &'a self,
        cpu: &'a Cpu<'_>,
        upper: Word,
        nesting: Nesting,
    ) -> Option<LockedTable<'a>> {
        loop {
            let entry = cpu.load_entry(upper, 2);
            if !entry.present() {
                return None;
            }
            let table = entry.frame();
            let lock = self.mms.pte_lock(table, nesting).lock(cpu);
            if !self.protocol.does(Step::RecheckUpperAfterLock) || cpu.load_entry(upper, 2) == entry {
                return Some(LockedTable { table, _lock: lock });
            }
        }
    }

    /// Where the level-2 entry for a page stands, if the tables reach down so far.
    pub(super) fn upper_entry(&self, cpu: &Cpu<'_>, mm: &Mm, page: Vpn) -> Option<Word> {
        Walk::from(self.pv.frame_of(mm.root())).entry(cpu, page.address(), 2)
    }

    /// Every level-2 entry for pages of a range that leads to a table, with the pages of the range that the table maps.
    pub(super) fn lowest_tables(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange) -> Vec<(Word, PageRange)> {
        let mut found = Vec::new();
        find_lowest(cpu, (self.pv.frame_of(mm.root()), LEVELS), Vpn(0), range, &mut found);
        found
    }

    /// The pages of a range are mapped no more: frees the tables that map no other page that is (`free_pgtables`). `mmap_lock` is
    /// held to write.
    pub(super) fn free_pgtables(
        &self,
        cpu: &Cpu<'_>,
        gather: &mut MmuGather<'_>,
        vmas: &Vmas,
        range: PageRange,
    ) {
        self.free_below(cpu, gather, vmas, range, (self.pv.frame_of(gather.mm.root()), LEVELS), Vpn(0));
    }

    fn free_below(
        &self,
        cpu: &Cpu<'_>,
        gather: &mut MmuGather<'_>,
        vmas: &Vmas,
        range: PageRange,
        (table, level): (Frame, u8),
        start: Vpn,
    ) {
        let places = places(start, level, range);
        let pages = Vpn::first_of_table(level - 1, 1).0;
        for place in non_zero(cpu, table) {
            let first = start + place as u64 * pages;
            if !places.contains(&place) || first >= USER_END {
                continue;
            }
            let word = Word::new(table, place);
            let entry = cpu.load_entry(word, level);
            if !entry.present() {
                continue;
            }
            if level > 2 {
                self.free_below(cpu, gather, vmas, range, (entry.frame(), level - 1), first);
            }
            if vmas.are_none_in(PageRange { first, pages }) {
                self.unhook(cpu, gather, word, level, first);
            }
        }
    }

    /// Clears an upper entry, and gathers the table that it led to.
    fn unhook(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>, word: Word, level: u8, first: Vpn) {
        let entry = {
            let _lock = gather.mm.page_table_lock.lock(cpu);
            self.clear_upper_entry(cpu, gather.mm, word, level)
        };
        let table = self.pv.pfn_of(entry.frame());
        self.pv.retire_table(cpu, table, level - 1, gather.mm.pinned.get());
        self.tlb_remove_table(cpu, gather, first, table);
    }

    /// Clears an entry that leads to a table (`pmd_clear` and upwards). The hardware sets no bits in it that matter, so a plain store
    /// does.
    pub(super) fn clear_upper_entry(&self, cpu: &Cpu<'_>, mm: &Mm, word: Word, level: u8) -> Entry {
        let entry = cpu.load_entry(word, level);
        if !mm.pinned.get() {
            self.pv.link_table(cpu, word, level, Entry::EMPTY);
        } else if self.pv.set_entry(cpu, word, level, Entry::EMPTY).is_err() {
            cpu.bug("the platform does not let go of an upper entry");
        }
        entry
    }

    /// Clears an entry of the user half: by a plain store where its tables are not, or no more, page tables to the platform.
    pub(super) fn clear_user_entry(&self, cpu: &Cpu<'_>, mm: &Mm, word: Word, level: u8) -> Entry {
        if mm.pinned.get() {
            return self.pv.clear_entry(cpu, word, level);
        }
        let entry = cpu.load_entry(word, level);
        self.pv.link_table(cpu, word, level, Entry::EMPTY);
        entry
    }

    /// Frees the lowest-level tables of a range that hold no entry, while the range stays mapped (`try_to_free_pte`).
    ///
    /// A kernel does so only if it frees tables after a grace period: a CPU that takes a fault there reads an entry without the
    /// table's lock, as a reader of RCU. By any other design, tables go with their mappings alone.
    ///
    /// The table is empty and stays so: its lock is held from the look until the upper entry is cleared, and a CPU that waits for
    /// the lock looks at the upper entry again.
    pub(crate) fn free_empty_tables(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange) {
        if !self.frees_tables_after_grace_period() {
            return;
        }
        let vmas = mm.mmap_lock.read(cpu);
        let mut gather = MmuGather::new(mm);
        for (upper, pages) in self.lowest_tables(cpu, mm, range) {
            let emptied = {
                let _upper = mm.page_table_lock.lock(cpu);
                let Some(locked) = self.lock_table(cpu, upper) else { continue };
                let is_empty = non_zero(cpu, locked.table).next().is_none();
                is_empty.then(|| self.clear_upper_entry(cpu, mm, upper, 2))
            };
            if let Some(entry) = emptied {
                let table = self.pv.pfn_of(entry.frame());
                self.pv.retire_table(cpu, table, 1, mm.pinned.get());
                self.tlb_remove_table(cpu, &mut gather, pages.first, table);
            }
        }
        self.tlb_finish_mmu(cpu, gather);
        drop(vmas);
    }

    /// Every table of the user half, with its level, those of the lowest level first.
    pub(super) fn user_tables(&self, cpu: &Cpu<'_>, mm: &Mm) -> Vec<(Pfn, u8)> {
        let mut tables = Vec::new();
        self.tables_below(cpu, (self.pv.frame_of(mm.root()), LEVELS), &mut tables);
        tables.sort_by_key(|(_, level)| *level);
        tables
    }

    fn tables_below(&self, cpu: &Cpu<'_>, (table, level): (Frame, u8), tables: &mut Vec<(Pfn, u8)>) {
        let last = if level == LEVELS { index(USER_END.address(), LEVELS) } else { machine::paging::WORDS };
        for place in non_zero(cpu, table).take_while(|place| *place < last) {
            let entry = cpu.load_entry(Word::new(table, place), level);
            if entry.present() {
                tables.push((self.pv.pfn_of(entry.frame()), level - 1));
                if level > 2 {
                    self.tables_below(cpu, (entry.frame(), level - 1), tables);
                }
            }
        }
    }
}

fn find_lowest(
    cpu: &Cpu<'_>,
    (table, level): (Frame, u8),
    start: Vpn,
    range: PageRange,
    found: &mut Vec<(Word, PageRange)>,
) {
    let places = places(start, level, range);
    for place in non_zero(cpu, table).filter(|place| places.contains(place)) {
        let word = Word::new(table, place);
        let entry = cpu.load_entry(word, level);
        if !entry.present() {
            continue;
        }
        let first = start + place as u64 * Vpn::first_of_table(level - 1, 1).0;
        if level == 2 {
            let end = (first + Vpn::first_of_table(1, 1).0).min(range.first + range.pages);
            let first = first.max(range.first);
            found.push((word, PageRange { first, pages: end - first }));
        } else {
            find_lowest(cpu, (entry.frame(), level - 1), first, range, found);
        }
    }
}

/// The lowest-level table behind an entry, if there is one.
pub(super) fn table_behind(cpu: &Cpu<'_>, upper: Word) -> Option<Frame> {
    let entry = cpu.load_entry(upper, 2);
    entry.present().then(|| entry.frame())
}
