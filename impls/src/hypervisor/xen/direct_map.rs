//! The hypervisor's own mapping of all memory: large leaves of 2 MiB, for as long as all frames of one are mapped alike.
//!
//! A frame on its way from one owner to another has no owner, and is not mapped meanwhile: if the hypervisor strays there,
//! it must fault and not read the last owner's data. For one such frame the hypervisor splits the leaf into a table. When
//! all frames are mapped again it merges the table into a leaf and frees it (`map_pages_to_xen`, `modify_xen_mappings`).
//!
//! One lock covers the walk, the decision and the write (XSA-345, Xen commit 1ce75e99d7). With the walk before the lock:
//!
//! ```text
//!   c0 unmaps a frame                     c1 maps another of the same 2 MiB again
//!   walks: there is a table
//!                                         takes the lock, sets the entry: all are alike
//!                                         L2 entry := large leaf
//!                                         frees the table
//!   takes the lock
//!   clears an entry of the freed table
//! ```
//!
//! and with the decision outside it:
//!
//! ```text
//!   c0                                    c1
//!   sets its entry                        sets its entry
//!   all are alike                         all are alike
//!   L2 entry := large leaf                L2 entry := large leaf
//!   frees the table                       frees the table
//! ```
//!
//! No CPU flushes here. This hypervisor reaches memory by physical address, so no CPU ever caches a leaf of this mapping;
//! there is nothing but what stands in the tables.

use super::domain::HYPERVISOR_FRAMES;
use crate::family;
use crate::pgtable::{NoTable, Walk};
use crate::protocol::{Protocol, Step};
use crate::sync::{LockClass, Lockdep, SpinLock};
use crate::vpn::Vpn;
use machine::paging::WORDS;
use machine::{Bus, Cpu, Entry, Flags, Frame, Role, Word};
use std::rc::Rc;

const MAP_LOCK: LockClass = LockClass { family: family::MAP_LOCK, name: "map_pgdir_lock" };

/// The table whose entries cover 2 MiB each: the first of the hypervisor's frames. The others are for tables below it.
const TABLE: Frame = Frame(0);

/// Flags of what is mapped (`PAGE_HYPERVISOR`).
const MAPPED: Flags = Flags::PRESENT
    .union(Flags::WRITABLE)
    .union(Flags::ACCESSED)
    .union(Flags::DIRTY)
    .union(Flags::GLOBAL)
    .union(Flags::NO_EXECUTE);

/// The mapping.
#[derive(Debug)]
pub(super) struct DirectMap {
    /// The lock, with the frames that are free for tables.
    free_tables: SpinLock<Vec<Frame>>,
    protocol: Rc<Protocol>,
}

impl DirectMap {
    /// The variables that it needs.
    pub(super) const VARS: u32 = 1;

    /// Maps all memory, in large leaves.
    pub(super) fn new(bus: &Bus, protocol: &Rc<Protocol>, lockdep: &Rc<Lockdep>) -> Self {
        let tables: Vec<_> = (TABLE.0 + 1..HYPERVISOR_FRAMES).map(Frame).collect();
        Self { free_tables: SpinLock::new(bus, lockdep, MAP_LOCK, tables), protocol: Rc::clone(protocol) }
    }

    /// Sets up the tables after memory was handed out.
    pub(super) fn boot(&self, bus: &Bus) {
        bus.memory.set_role(TABLE, Role::Table(2));
        for table in self.free_tables.peek(Clone::clone) {
            bus.memory.set_role(table, Role::Free);
        }
        for first in (0..bus.memory.frames()).step_by(WORDS) {
            bus.boot_word(leaf_word(Frame(first)), large_leaf(Frame(first)).0);
        }
    }

    /// A frame lost its owner: unmaps it, unless no frame is free for a table.
    #[track_caller]
    pub(super) fn unmap(&self, cpu: &Cpu<'_>, frame: Frame) {
        self.set(cpu, frame, false);
    }

    /// A frame has an owner: maps it again.
    #[track_caller]
    pub(super) fn map(&self, cpu: &Cpu<'_>, frame: Frame) {
        self.set(cpu, frame, true);
    }

    #[track_caller]
    fn set(&self, cpu: &Cpu<'_>, frame: Frame, mapped: bool) {
        let early = (!self.protocol.does(Step::WalkUnderMapLock)).then(|| entry_of(cpu, frame));
        let mut free_tables = self.free_tables.lock(cpu);
        let word = match early.unwrap_or_else(|| entry_of(cpu, frame)) {
            Some(word) => word,
            None if mapped => return,
            None => {
                let Some(table) = free_tables.pop() else { return };
                split(cpu, frame, table);
                Word::new(table, frame.index())
            }
        };
        let table = word.frame;
        let entry = if mapped { Entry::new(frame, MAPPED) } else { Entry::EMPTY };
        cpu.update_entry_as(word, 1, family::XEN_PTE, |_| Some(entry.0));
        if !mapped {
            return;
        }
        if !self.protocol.does(Step::MergeUnderMapLock) {
            drop(free_tables);
            if !is_uniform(cpu, frame, table) {
                return;
            }
            free_tables = self.free_tables.lock(cpu);
        } else if !is_uniform(cpu, frame, table) {
            return;
        }
        cpu.update_entry_as(leaf_word(frame), 2, family::XEN_PMD, |_| Some(large_leaf(frame).0));
        cpu.free_frame(table);
        free_tables.push(table);
    }

    /// Tables that are in use, while no CPU runs.
    pub(super) fn tables_in_use(&self) -> usize {
        (HYPERVISOR_FRAMES - TABLE.0 - 1) as usize - self.free_tables.peek(Vec::len)
    }
}

/// The word of the entry for the 2 MiB around a frame.
fn leaf_word(frame: Frame) -> Word {
    Word::new(TABLE, frame.index() / WORDS)
}

/// The first frame of the 2 MiB around a frame.
fn first_of(frame: Frame) -> Frame {
    Frame(frame.0 - frame.0 % WORDS as u32)
}

fn large_leaf(frame: Frame) -> Entry {
    Entry::new(first_of(frame), MAPPED | Flags::HUGE_PAGE)
}

/// Where the entry for a frame alone stands, if no large leaf maps it.
fn entry_of(cpu: &Cpu<'_>, frame: Frame) -> Option<Word> {
    // The mapping begins at address 0: the number of a frame is that of the page it is mapped at.
    let va = Vpn(frame.0.into()).address();
    let found = Walk { root: TABLE, level: 2 }.descend(va, 1, |word, level| {
        let entry = cpu.load_entry_as(word, level, family::XEN_PMD);
        if entry.has(Flags::HUGE_PAGE) { Err(NoTable) } else { Ok(entry.frame()) }
    });
    found.ok()
}

/// Turns the large leaf around a frame into a table that maps the same.
#[track_caller]
fn split(cpu: &Cpu<'_>, frame: Frame, table: Frame) {
    let frames = first_of(frame).0..cpu.bus().memory.frames();
    cpu.fill_table(table, 1, frames.take(WORDS).map(|number| Entry::new(Frame(number), MAPPED)));
    let entry = Entry::new(table, MAPPED);
    cpu.update_entry_as(leaf_word(frame), 2, family::XEN_PMD, |_| Some(entry.0));
}

/// Whether a table maps all its frames alike. Other CPUs can come in before the read of the first entry. The rest is one
/// look: a CPU that changes an entry holds the lock, or changes it before or after all of the look.
#[track_caller]
fn is_uniform(cpu: &Cpu<'_>, frame: Frame, table: Frame) -> bool {
    let first = cpu.load_entry_as(Word::new(table, 0), 1, family::XEN_PTE);
    let mut both = cpu.bus().memory.words(table).zip(first_of(frame).0..cpu.bus().memory.frames());
    first.present() && both.all(|(word, number)| Entry(word) == Entry::new(Frame(number), MAPPED))
}
