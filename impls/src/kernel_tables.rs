//! The kernel's own page tables (`init_mm`): tables are allocated when an area needs them, and freed when no area does.
//! Other address spaces share the tables of the lowest level and have copies of those above (`copies.rs`).
//!
//! One mutex stands over making and freeing tables. It is held from the moment a table is unhooked until every CPU
//! has forgotten the way to it: a CPU that makes a new table for the same addresses must not race with walk caches that
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
//!
//! What needs the tables alone is here; `populate.rs` makes them for areas and gives them back, `mapping.rs` and `large.rs` set
//! and clear their leaves.

mod copies;
pub(crate) mod large;
mod mapping;
mod populate;

use copies::Copies;
pub(crate) use copies::{COPIED, set_copied};

use crate::base::Base;
use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::{TABLE_FLAGS, Walk};
use crate::protocol::{KernelTables as Keeping, Step};
use crate::sync::{LockClass, Lockdep, Mutex, MutexGuard};
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::paging::LEVELS;
use machine::{Bus, Cpu, Cr3, Entry, Flags, Frame, Role, Word};
use std::collections::BTreeMap;
use std::rc::Rc;

const KERNEL_TABLES: LockClass = LockClass { family: family::KERNEL_TABLES, name: "init_mm tables" };

/// Why tables could not be made at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lacking {
    /// This number of pages is needed first.
    Pages(u8),
    /// It cannot be done.
    Other(MapError),
}

/// How many areas use each lowest-level table, by the number of the table.
#[derive(Debug, Default)]
pub(crate) struct TableUsers(BTreeMap<u64, u32>);

/// The tables under one root, and the copies of their upper levels that address spaces have.
#[derive(Debug)]
pub struct KernelTables {
    root: Frame,
    users: Mutex<TableUsers>,
    copies: Copies,
}

/// Tables that nothing leads to any more, and that some CPU may still remember the way to. The mutex is held with them.
#[derive(Debug)]
pub(crate) struct Unhooked<'a> {
    tables: Vec<Pfn>,
    /// The addresses whose upper entries stand in the copies of address spaces still.
    to_remove: Vec<u64>,
    /// Held until the tables are freed.
    users: MutexGuard<'a, TableUsers>,
}

/// The address of the first page that a lowest-level table maps, by the number of the table.
const fn start_of(table: u64) -> u64 {
    Vpn::first_of_table(1, table).address()
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
        Self { root: frame, users, copies: Copies::new(bus, lockdep) }
    }

    /// Variables needed.
    pub(crate) const VARS: u32 = 2;

    /// The root.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Where the entry of this level for an address stands, if the tables reach down so far.
    #[track_caller]
    pub(crate) fn entry(&self, cpu: &Cpu<'_>, va: u64, level: u8) -> Option<Word> {
        Walk::from(self.root).entry(cpu, va, level)
    }

    /// The leaf for an address, if there is a place for one.
    pub(crate) fn leaf(&self, cpu: &Cpu<'_>, va: u64) -> Option<Entry> {
        if let Some(word) = self.entry(cpu, va, 1) {
            Some(cpu.load_entry(word, 1))
        } else {
            let entry = cpu.load_entry(self.entry(cpu, va, 2)?, 2);
            entry.has(Flags::HUGE_PAGE).then_some(entry)
        }
    }

    /// Makes sure that there are tables for an address, down to this level. Returns where its entry of this level stands.
    fn make<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        va: u64,
        lowest: u8,
        spare: &mut Vec<Pfn>,
    ) -> Result<Word, Lacking> {
        Walk::from(self.root).descend(va, lowest, |word, level| {
            let mut entry = cpu.load_entry(word, level);
            if !entry.present() {
                let pfn = spare.pop().ok_or(Lacking::Pages(level - lowest))?;
                if let Err(refused) = base.pv.alloc_table(cpu, pfn, level - 1) {
                    spare.push(pfn);
                    return Err(Lacking::Other(refused.into()));
                }
                entry = base.pv.make_entry(pfn, TABLE_FLAGS);
                if let Err(refused) = base.pv.set_entry(cpu, word, level, entry) {
                    base.pv.release_table(cpu, pfn, level - 1);
                    spare.push(pfn);
                    return Err(Lacking::Other(refused.into()));
                }
                if level == COPIED {
                    self.add_to_copies(base, cpu, va, entry);
                }
            }
            Ok(entry.frame())
        })
    }

    /// The areas of these ranges are gone, their entries cleared: unhooks the lowest-level tables that no other area
    /// uses. They are freed after the flush that follows ([`crate::Kernel::flush_and_free`]).
    ///
    /// `None` where there is no such table, or by design they all stay; or where the caller may not sleep and the mutex is
    /// taken, and the tables stay for the next area there.
    pub(crate) fn unhook_unused<'a, P: PvMmu>(
        &'a self,
        base: &Base<P>,
        cpu: &'a Cpu<'_>,
        ranges: impl Iterator<Item = PageRange>,
    ) -> Option<Unhooked<'a>> {
        let mut users = if cpu.interrupts_on() { self.users.lock(cpu) } else { self.users.try_lock(cpu)? };
        let (mut tables, mut to_remove) = (Vec::new(), Vec::new());
        for table in ranges.flat_map(|range| range.tables(1)) {
            let count = users.0.get_mut(&table).expect("an area counts as a user of its tables");
            *count -= 1;
            if *count != 0 {
                continue;
            }
            users.0.remove(&table);
            if !stays(base, cpu, table) {
                let va = start_of(table);
                tables.extend(self.unhook(base, cpu, va, 2));
                // The flush that follows is for all address spaces: see `copies.rs`.
                if self.copies.are_none() {
                } else if base.protocol.does(Step::RemoveBeforeFlush) {
                    self.remove_from_copies(base, cpu, va);
                } else {
                    to_remove.push(va);
                }
            }
        }
        (!tables.is_empty()).then_some(Unhooked { tables, to_remove, users })
    }

    /// Clears the entry of this level for an address. Returns the table that it led to.
    fn unhook<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, va: u64, level: u8) -> Option<Pfn> {
        let word = self.entry(cpu, va, level)?;
        let entry = cpu.load_entry(word, level);
        if !entry.present() {
            return None;
        }
        if base.pv.set_entry(cpu, word, level, Entry::EMPTY).is_err() {
            cpu.bug("the platform does not let go of an upper entry");
        }
        Some(base.pv.pfn_of(entry.frame()))
    }
}

/// Whether a table stays although no area uses it any more. Its entries are clear; CPUs may go on remembering the way to
/// it, since it is where they will look for it, in the kernel's own tables and in every copy of the upper entries.
fn stays<P: PvMmu>(base: &Base<P>, cpu: &Cpu<'_>, table: u64) -> bool {
    match base.protocol.designs.kernel_tables {
        Keeping::Freed => {
            // All of it is in the reserve: of one that begins before the space, or where there is none, never.
            let reserved = base.sizes.table_reserve(cpu.bus().cpus());
            Vpn::first_of_table(1, table + 1) <= base.sizes.vmalloc_first() + reserved
        }
        Keeping::Kept => true,
        Keeping::FreedAtOnce => false,
    }
}
