//! The lock of a page table, under which its entries are changed.
//!
//! With the lock goes a typed reference: a locked table stays a table. Only one is ever locked by a CPU at a time, so
//! tables may share a lock word, and where there are many they do.

use super::Hypervisor;
use super::tlb_clock::Time;
use super::type_info::{PageType, TypeInfo};
use crate::family;
use crate::protocol::Step;
use crate::sync::{LockClass, Lockdep, SpinGuard, SpinLock};
use machine::{Bus, Cpu, Frame};
use std::rc::Rc;

const TABLE_LOCK: LockClass = LockClass { family: family::TABLE_LOCK, name: "page_lock" };

/// At most so many lock words.
const STRIPES: u32 = 64;

/// The locks of all tables.
#[derive(Debug)]
pub(super) struct TableLocks(Vec<SpinLock<()>>);

/// A table that is locked, and a typed reference to it. It is given back by [`Hypervisor::unlock_table`].
#[derive(Debug)]
#[must_use = "the table stays locked and referenced until it is unlocked"]
pub(super) struct LockedTable<'a> {
    pub(super) frame: Frame,
    pub(super) level: u8,
    /// When the reference of an entry that is replaced counts as gone, if it is known so early: never, if all is well.
    pub(super) since: Option<Time>,
    lock: SpinGuard<'a, ()>,
}

impl TableLocks {
    /// Variables needed for so many frames.
    pub(super) const fn vars(frames: u32) -> u32 {
        if frames < STRIPES { frames } else { STRIPES }
    }

    /// Nothing is locked.
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

    /// Unlocks a table. Whoever else held its type may have let go meanwhile: then its entries are given up here.
    #[track_caller]
    pub(super) fn unlock_table(&self, cpu: &Cpu<'_>, table: LockedTable<'_>) {
        let LockedTable { frame, lock, .. } = table;
        drop(lock);
        self.put_page_type(cpu, frame);
    }
}
