//! The kernel's own page tables (`init_mm`): tables are allocated when an area needs them, and freed when no area does.
//! Other address spaces share the tables of the lowest level and have copies of those above (`mm.rs`).
//!
//! One mutex stands over making and freeing tables. It is held from the moment a table is unhooked until every CPU
//! has forgotten the way to it: whoever makes a new table for the same addresses must not race with walk caches that
//! still lead to the old one.
//!
//! ```text
//!   c0 frees the table                    c1 maps into the same 2 MiB
//!   clear PMD
//!                                         sees it empty, hooks a new table, returns
//!                                         access: c2's walk cache leads to the old table: fault
//!   flush everywhere
//! ```
//!
//! Those of the lowest addresses stay once they were made, where the kernel is of real size: a reserve for what may be
//! unmapped lazily. First fit comes back there after each purge, and under Xen each table that is made again is drained for:
//! the areas outstanding would be flushed for tables, long before there are as many as the threshold allows.

pub(crate) mod large;

use crate::alias_table::COUNTED;
use crate::direct_map::DirectMap;
use crate::family;
use crate::kernel::Kernel;
use crate::paravirt::{PageRange, Pfn, PvMmu, Refused};
use crate::protocol::{KernelTables as Keeping, Step, TableDrain};
use crate::sync::{LockClass, Lockdep, Mutex, MutexGuard};
use crate::vmalloc::purge::WouldSleep;
use machine::paging::{LEVELS, index};
use machine::{Bus, Cpu, Cr3, Entry, Flags, Frame, Role, Word};
use std::collections::BTreeMap;
use std::rc::Rc;

const KERNEL_TABLES: LockClass = LockClass { family: family::KERNEL_TABLES, name: "init_mm tables" };

/// Flags of an entry that leads to a table (`_KERNPG_TABLE`).
pub const TABLE_FLAGS: Flags =
    Flags::PRESENT.union(Flags::WRITABLE).union(Flags::ACCESSED).union(Flags::DIRTY);

/// Flags of a page of the vmap layer (`PAGE_KERNEL`).
pub const PAGE_KERNEL: Flags = TABLE_FLAGS.union(Flags::GLOBAL).union(Flags::NO_EXECUTE);

/// Why tables or entries could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No page for a table.
    NoMemory,
    /// The platform refused.
    Refused,
    /// It would have to sleep, and the caller has interrupts off.
    WouldSleep,
}

impl From<WouldSleep> for MapError {
    fn from(_: WouldSleep) -> Self {
        Self::WouldSleep
    }
}

impl From<Refused> for MapError {
    fn from(_: Refused) -> Self {
        Self::Refused
    }
}

/// Why tables could not be made at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lacking {
    /// So many pages are needed first.
    Pages(u8),
    /// It cannot be done.
    Other(MapError),
}

/// How many areas use each lowest-level table, by the number of its 2 MiB.
#[derive(Debug, Default)]
pub struct TableUsers(BTreeMap<u64, u32>);

/// The tables under one root.
#[derive(Debug)]
pub struct KernelTables {
    root: Frame,
    pub(crate) users: Mutex<TableUsers>,
}

/// Tables that nothing leads to any more, and that some CPU may still remember the way to. The mutex is held with them.
#[derive(Debug)]
pub struct Unhooked<'a> {
    tables: Vec<Pfn>,
    /// The addresses whose upper entries stand in the copies of address spaces still.
    to_remove: Vec<u64>,
    /// Held until the tables are freed.
    users: MutexGuard<'a, TableUsers>,
}

/// The lowest-level tables that a range touches, by the number of their 2 MiB.
fn tables_of(range: PageRange) -> std::ops::RangeInclusive<u64> {
    range.first >> 9..=(range.first + range.pages - 1) >> 9
}

/// The entry at this level for an address in the tables under a root, if they reach down so far.
pub(crate) fn entry_word_under(cpu: &Cpu<'_>, root: Frame, va: u64, level: u8) -> Option<Word> {
    let mut table = root;
    for above in (level + 1..=LEVELS).rev() {
        let entry = cpu.load_entry(Word::new(table, index(va, above)), above);
        if !entry.present() || entry.has(Flags::HUGE_PAGE) {
            return None;
        }
        table = entry.frame();
    }
    Some(Word::new(table, index(va, level)))
}

impl KernelTables {
    /// The root, in every CPU's CR3.
    ///
    /// The tables beneath it that are there already are named by level, from the lowest; they stay for good.
    pub fn boot<P: PvMmu>(bus: &Bus, lockdep: &Rc<Lockdep>, pv: &P, root: Pfn, below: &[(Pfn, u8)]) -> Self {
        let frame = pv.frame_of(root);
        bus.memory.set_role(frame, Role::Table(LEVELS));
        for cpu in 0..bus.cpus() {
            bus.boot_cr3(cpu, Cr3 { root: frame, pcid: 0 });
        }
        pv.adopt_boot_tables(bus, root, &[&[(root, LEVELS)], below].concat());
        let users = Mutex::new(bus, lockdep, KERNEL_TABLES, TableUsers::default());
        Self { root: frame, users }
    }

    /// The root.
    pub fn root(&self) -> Frame {
        self.root
    }
}

impl<P: PvMmu> Kernel<P> {
    /// The entry at this level for an address, if the tables reach down so far.
    pub(crate) fn entry_word(&self, cpu: &Cpu<'_>, va: u64, level: u8) -> Option<Word> {
        entry_word_under(cpu, self.tables.root, va, level)
    }

    /// Makes sure that the tables for a range exist, and counts its area as a user of them.
    ///
    /// Pages for tables are got with the mutex released, since getting one may mean a drain of aliases (seed 004), and a
    /// drain frees tables. Another CPU may have made the table meanwhile; then the page goes back.
    pub(crate) fn populate(&self, cpu: &Cpu<'_>, range: PageRange) -> Result<(), MapError> {
        let mut spare = Vec::new();
        let mut drained = false;
        let populated = loop {
            match self.try_populate(cpu, range, &mut spare) {
                Ok(()) => break Ok(()),
                // The refusal says that an alias is left. What is spare is not mapped again, so one drain is enough.
                Err(Lacking::Other(MapError::Refused))
                    if self.table_drain_is(TableDrain::FixUp) && !drained =>
                {
                    if let Err(would_sleep) = self.drain_for_kernel_tables(cpu) {
                        break Err(would_sleep.into());
                    }
                    drained = true;
                }
                Err(Lacking::Other(error)) => break Err(error),
                Err(Lacking::Pages(wanted)) => {
                    drained = false;
                    if let Err(error) = self.alloc_table_pages(cpu, wanted, &mut spare) {
                        break Err(error);
                    }
                }
            }
        };
        for pfn in spare {
            self.free_table_page(cpu, pfn);
        }
        populated
    }

    /// Allocates pages that may become tables: all of them first, then one drain for all. In the other order one could
    /// be unmapped, freed and allocated in between.
    pub(crate) fn alloc_table_pages(
        &self,
        cpu: &Cpu<'_>,
        wanted: u8,
        spare: &mut Vec<Pfn>,
    ) -> Result<(), MapError> {
        let drain = || self.drain_for_kernel_tables(cpu);
        if self.table_drain_is(TableDrain::CleanCache) {
            let wanted = spare.len() + usize::from(wanted);
            self.take_clean_pages(cpu, wanted - spare.len(), spare, drain)?;
            return if spare.len() == wanted { Ok(()) } else { Err(MapError::NoMemory) };
        }
        for _ in 0..wanted {
            spare.push(self.pages.alloc(&self.pv, cpu).ok_or(MapError::NoMemory)?);
        }
        Ok(self.drain_for_tables(cpu, spare, drain)?)
    }

    /// With interrupts off it is enough to clear the entries: what counts is that none leads to the page.
    pub(crate) fn drain_for_kernel_tables(&self, cpu: &Cpu<'_>) -> Result<(), WouldSleep> {
        if cpu.interrupts_on() { self.vm_unmap_aliases(cpu) } else { self.clear_aliases(cpu) }
    }

    fn try_populate(&self, cpu: &Cpu<'_>, range: PageRange, spare: &mut Vec<Pfn>) -> Result<(), Lacking> {
        let users = &self.tables.users;
        let mut users = if cpu.interrupts_on() {
            users.lock(cpu)
        } else {
            users.try_lock(cpu).ok_or(Lacking::Other(MapError::WouldSleep))?
        };
        for table in tables_of(range) {
            let count = users.0.entry(table).or_default();
            if *count == 0
                && let Err(lacking) = self.make_tables(cpu, table << 21, 1, spare)
            {
                users.0.remove(&table);
                for done in *tables_of(range).start()..table {
                    *users.0.get_mut(&done).expect("counted above") -= 1;
                }
                return Err(lacking);
            }
            *count += 1;
        }
        Ok(())
    }

    /// Makes sure that there are tables for an address, down to this level. Returns the lowest of them.
    fn make_tables(
        &self,
        cpu: &Cpu<'_>,
        va: u64,
        lowest: u8,
        spare: &mut Vec<Pfn>,
    ) -> Result<Frame, Lacking> {
        let mut table = self.tables.root;
        for level in (lowest + 1..=LEVELS).rev() {
            let word = Word::new(table, index(va, level));
            let mut entry = cpu.load_entry(word, level);
            if !entry.present() {
                let pfn = spare.pop().ok_or(Lacking::Pages(level - lowest))?;
                if let Err(refused) = self.pv.alloc_table(cpu, pfn, level - 1) {
                    spare.push(pfn);
                    return Err(Lacking::Other(refused.into()));
                }
                entry = self.pv.make_entry(pfn, TABLE_FLAGS);
                if let Err(refused) = self.pv.set_entry(cpu, word, level, entry) {
                    self.pv.release_table(cpu, pfn, level - 1);
                    spare.push(pfn);
                    return Err(Lacking::Other(refused.into()));
                }
                if level == 2 {
                    self.add_to_mms(cpu, va, entry);
                }
            }
            table = entry.frame();
        }
        Ok(table)
    }

    /// The areas of these ranges are gone, their entries cleared: unhooks the lowest-level tables that no other area
    /// uses. What comes back is to be flushed for, and then given to [`Kernel::free_unhooked`].
    ///
    /// `None` where there is no such table, or by design they all stay; or where the caller may not sleep and the mutex is
    /// taken, and the tables stay for the next area there.
    pub(crate) fn unhook_unused<'a>(
        &'a self,
        cpu: &'a Cpu<'_>,
        ranges: impl Iterator<Item = PageRange>,
    ) -> Option<Unhooked<'a>> {
        let users = &self.tables.users;
        let mut users = if cpu.interrupts_on() { users.lock(cpu) } else { users.try_lock(cpu)? };
        let (mut tables, mut to_remove) = (Vec::new(), Vec::new());
        for table in ranges.flat_map(tables_of) {
            let count = users.0.get_mut(&table).expect("an area counts as a user of its tables");
            *count -= 1;
            if *count == 0 {
                users.0.remove(&table);
                if !self.stays(cpu, table) {
                    let va = table << 21;
                    tables.extend(self.unhook(cpu, va, 2));
                    // The flush that follows is for all of them: see `mm.rs`.
                    if self.mms.are_none() {
                    } else if self.protocol.does(Step::RemoveBeforeFlush) {
                        self.remove_from_mms(cpu, va);
                    } else {
                        to_remove.push(va);
                    }
                }
            }
        }
        (!tables.is_empty()).then_some(Unhooked { tables, to_remove, users })
    }

    /// Whether a table stays although no area uses it any more. Its entries are clear; CPUs may go on remembering the way to
    /// it, since it is where they will look for it, in the kernel's own tables and in every copy of the upper entries.
    fn stays(&self, cpu: &Cpu<'_>, table: u64) -> bool {
        match self.protocol.designs.kernel_tables {
            Keeping::Freed => {
                // All of it is in the reserve: of one that begins before the space, or where there is none, never.
                let reserved = self.sizes.table_reserve(cpu.bus().cpus());
                (table + 1) << 9 <= self.sizes.vmalloc_first() + reserved
            }
            Keeping::Kept => true,
            Keeping::FreedAtOnce => false,
        }
    }

    /// Clears the entry of this level for an address. Returns the table that it led to.
    fn unhook(&self, cpu: &Cpu<'_>, va: u64, level: u8) -> Option<Pfn> {
        let word = self.entry_word(cpu, va, level)?;
        let entry = cpu.load_entry(word, level);
        if !entry.present() {
            return None;
        }
        if self.pv.set_entry(cpu, word, level, Entry::EMPTY).is_err() {
            cpu.bug("the platform does not let go of an upper entry");
        }
        Some(self.pv.pfn_of(entry.frame()))
    }

    /// Every CPU has forgotten the way to these tables: gives them back.
    pub(crate) fn free_unhooked(&self, cpu: &Cpu<'_>, unhooked: Unhooked<'_>) {
        let Unhooked { tables, to_remove, users } = unhooked;
        for va in to_remove {
            self.remove_from_mms(cpu, va);
        }
        for pfn in tables {
            self.pv.release_table(cpu, pfn, 1);
            self.free_table_page(cpu, pfn);
        }
        drop(users);
    }

    /// Maps pages from the start of a range on, readable and writable. The tables are there.
    pub(crate) fn map_pages(&self, cpu: &Cpu<'_>, first: u64, pages: &[Pfn]) -> Result<(), MapError> {
        let flags = PAGE_KERNEL | self.note_aliases(cpu, pages);
        self.pv.enter_lazy_mmu(cpu);
        let set = pages.iter().enumerate().try_for_each(|(index, pfn)| {
            let va = (first + index as u64) << 12;
            let Some(word) = self.entry_word(cpu, va, 1) else { cpu.bug("an area has no tables") };
            if cpu.load_entry(word, 1).present() {
                cpu.bug("an area is mapped over another");
            }
            self.pv.set_pte_at(cpu, va, word, self.pv.make_entry(*pfn, flags))
        });
        let left = self.pv.leave_lazy_mmu(cpu);
        Ok(set.and(left)?)
    }

    /// Remembers of pages that are about to be mapped that they have an alias, as the design has it. Returns what marks
    /// their entries.
    pub(crate) fn note_aliases(&self, cpu: &Cpu<'_>, pages: &[Pfn]) -> Flags {
        if self.table_drain_is(TableDrain::PageFlag) {
            for pfn in pages {
                self.set_alias_flag(cpu, *pfn);
            }
        }
        self.count_aliases(cpu, pages)
    }

    /// The leaf for an address, if there is a place for one.
    pub(crate) fn leaf_entry(&self, cpu: &Cpu<'_>, va: u64) -> Option<Entry> {
        match self.entry_word(cpu, va, 1) {
            Some(word) => Some(cpu.load_entry(word, 1)),
            None => self.large_entry(cpu, va),
        }
    }

    /// Gives a mapped page other flags, and flushes nothing.
    pub(crate) fn protect_page(&self, cpu: &Cpu<'_>, page: u64, pfn: Pfn, flags: Flags) {
        let va = page << 12;
        let Some(word) = self.entry_word(cpu, va, 1) else { cpu.bug("an area has no tables") };
        // What marks the entry for others stays.
        let marks = cpu.load_entry(word, 1).flags() & COUNTED;
        if self.pv.set_pte_at(cpu, va, word, self.pv.make_entry(pfn, flags | marks)).is_err() {
            cpu.bug("the platform does not let permissions be changed");
        }
    }

    /// Clears the entries of a range, and flushes nothing (`vunmap_range_noflush`).
    pub(crate) fn unmap_pages(&self, cpu: &Cpu<'_>, range: PageRange) {
        if !self.has_alias_table() {
            return self.clear_entries(cpu, range);
        }
        let word = |index| self.entry_word(cpu, range.address(index), 1);
        let counted: Vec<_> = (0..range.pages)
            .filter_map(|index| self.counted_alias(cpu.load_entry(word(index)?, 1)))
            .collect();
        // What is counted off is gone: see `alias_table.rs`.
        let clears_first = self.protocol.does(Step::ClearBeforeCountingOff);
        if clears_first {
            self.clear_entries(cpu, range);
        }
        for pfn in counted {
            self.count_off_alias(cpu, pfn);
        }
        if !clears_first {
            self.clear_entries(cpu, range);
        }
    }

    fn clear_entries(&self, cpu: &Cpu<'_>, range: PageRange) {
        self.pv.enter_lazy_mmu(cpu);
        for index in 0..range.pages {
            let va = range.address(index);
            let cleared = match self.entry_word(cpu, va, 1) {
                Some(word) => self.pv.set_pte_at(cpu, va, word, Entry::EMPTY),
                None => Ok(()),
            };
            if cleared.is_err() {
                self.must_be_clear(cpu, range);
            }
        }
        if self.pv.leave_lazy_mmu(cpu).is_err() {
            self.must_be_clear(cpu, range);
        }
    }

    /// The platform refused to clear an entry. Where it had refused to set it before, there is none to be cleared.
    fn must_be_clear(&self, cpu: &Cpu<'_>, range: PageRange) {
        let left = |index| self.leaf_entry(cpu, range.address(index)).is_some_and(Entry::present);
        if (0..range.pages).any(left) {
            cpu.bug("the platform does not let go of an entry");
        }
    }

    /// Nothing is mapped any more: frees all tables but the root and those of the direct map.
    pub(crate) fn free_all_tables(&self, cpu: &Cpu<'_>) {
        if self.protocol.designs.frees_tables() && !self.tables.users.lock(cpu).0.is_empty() {
            cpu.bug("a table counts users after the last purge");
        }
        let mut freed = Vec::new();
        for level in 2..=LEVELS {
            self.unhook_below(cpu, self.tables.root, LEVELS, 0, level, &mut freed);
        }
        self.flush_tlb_kernel_range(cpu, PageRange { first: 0, pages: u64::MAX });
        for (pfn, level) in freed {
            self.pv.release_table(cpu, pfn, level);
            self.pages.free(&self.pv, cpu, pfn);
        }
        self.tables.users.lock(cpu).0.clear();
    }

    /// Clears all entries of one level below a table.
    fn unhook_below(
        &self,
        cpu: &Cpu<'_>,
        table: Frame,
        level: u8,
        base: u64,
        wanted: u8,
        freed: &mut Vec<(Pfn, u8)>,
    ) {
        let mut from = 0;
        while let Some(index) = cpu.bus().memory.next_non_zero(table, from) {
            from = index + 1;
            let entry = cpu.load_entry(Word::new(table, index), level);
            let va = base + index as u64 * machine::paging::span(level);
            if !entry.present() || (level == LEVELS && index == DirectMap::index_in_root()) {
                continue;
            }
            if level == wanted {
                freed.extend(self.unhook(cpu, va, level).map(|pfn| (pfn, level - 1)));
            } else {
                self.unhook_below(cpu, entry.frame(), level - 1, va, wanted, freed);
            }
        }
    }
}
