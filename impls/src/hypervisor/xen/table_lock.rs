//! The lock of a page table. A CPU changes the table's entries under it.
//!
//! A locked table also has a typed reference, so that it stays a table. A CPU never locks two tables at a time. So tables
//! may share a lock word, and do where there are many of them.

use super::Hypervisor;
use super::tlb_clock::Time;
use super::type_info::{PageType, TypeInfo};
use crate::family;
use crate::protocol::Step;
use crate::sync::{LockClass, Lockdep, SpinGuard, SpinLock};
use machine::{Bus, Cpu, Frame};
use std::rc::Rc;

const TABLE_LOCK: LockClass = LockClass { family: family::TABLE_LOCK, name: "page_lock" };

/// The most lock words.
const STRIPES: u32 = 64;

/// The locks of all tables.
#[derive(Debug)]
pub(super) struct TableLocks(Vec<SpinLock<()>>);

/// A locked table, with a typed reference to it. [`Hypervisor::unlock_table`] gives the reference back.
#[derive(Debug)]
#[must_use = "the table stays locked and referenced until it is unlocked"]
pub(super) struct LockedTable<'a> {
    pub(super) frame: Frame,
    pub(super) level: u8,
    /// The time at which the reference of a replaced entry counts as gone, if it is known this early; in a correct
    /// hypervisor it never is.
    pub(super) since: Option<Time>,
    lock: SpinGuard<'a, ()>,
}

impl TableLocks {
    /// The variables that they need for this many frames.
    pub(super) const fn vars(frames: u32) -> u32 {
        if frames < STRIPES { frames } else { STRIPES }
    }

    /// All tables are unlocked.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        let words = Self::vars(bus.memory.frames());
        Self(SpinLock::several(bus, lockdep, TABLE_LOCK, words as usize, ()))
    }

    fn of(&self, frame: Frame) -> &SpinLock<()> {
        &self.0[frame.index() % self.0.len()]
    }
}

impl Hypervisor {
    /// Locks a frame if it is a validated table (`page_lock`). The caller holds a total reference.
    #[track_caller]
    pub(super) fn lock_table<'a>(&'a self, cpu: &'a Cpu<'_>, frame: Frame) -> Option<LockedTable<'a>> {
        let since = if self.protocol.does(Step::StampAfterStore) { None } else { Some(self.flush.time(cpu)) };
        let lock = self.locks.of(frame).lock(cpu);
        let var = self.frames.type_info(frame);
        let mut seen = TypeInfo(cpu.load(var));
        loop {
            let PageType::Table(level) = seen.page_type() else { return None };
            if seen.count() == 0 || !seen.validated() {
                return None;
            }
            match cpu.compare_exchange(var, seen.0, seen.taken().0) {
                Ok(()) => return Some(LockedTable { frame, level, since, lock }),
                Err(now) => seen = TypeInfo(now),
            }
        }
    }

    /// Unlocks a table. If the other holders of its type have let go meanwhile, this gives up its entries.
    #[track_caller]
    pub(super) fn unlock_table(&self, cpu: &Cpu<'_>, table: LockedTable<'_>) {
        let LockedTable { frame, lock, .. } = table;
        drop(lock);
        self.put_page_type(cpu, frame);
    }
}
