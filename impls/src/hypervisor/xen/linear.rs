//! The linear mapping: one entry of every root leads to the root itself. So the guest's lowest-level entries lie side by
//! side in the hypervisor's address space, and it reaches the entry of an address without walking to it.
//!
//! Each CPU caches its translations like any other, under a tag of the hypervisor's own, so that the guest's flushes of
//! single pages leave them alone. They say where the tables *were*. So a CPU that changes an upper entry that was present
//! makes every CPU forget them, before it drops the reference to what the entry led to (XSA-286, Xen commit 16a20963b3):
//!
//! ```text
//!   c0 replaces the L1 table of V          c1
//!                                          update_va_mapping(V): caches the way to the old table
//!   L2 entry := new table
//!   without a flush: returns
//!                                          update_va_mapping(V): checks the new table, and
//!                                          writes to the old one: what is acknowledged is not so; and if
//!                                          the old table has become data, the guest's data is overwritten
//! ```
//!
//! And while a CPU uses them, no CPU may change an upper entry at all:
//!
//! ```text
//!   c0                                     c1 update_va_mapping(V)
//!                                          walks to the L1 table of V, locks it
//!   L2 entry := new table
//!   has every CPU forget
//!                                          the first access walks: to the new table, which is not locked
//! ```
//!
//! So a CPU read-locks the mapping from the walk that finds the table to the last access, and write-locks it from the
//! change to the last answer. It takes both under the lock of a table, and never the other way round.

use super::Hypervisor;
use super::flush::Scope;
use crate::family;
use crate::protocol::Step;
use crate::sync::{LockClass, Lockdep, RwGuard, RwLock};
use machine::{Bus, Cpu, Entry, MAX_CPUS, PageFault};
use std::rc::Rc;

const LINEAR_LOCK: LockClass = LockClass { family: family::LINEAR_LOCK, name: "linear_lock" };

/// The tag of the hypervisor's own translations.
pub const LINEAR_PCID: u16 = 0xfff;

/// The entry of each root that leads to the root itself (`LINEAR_PT_VIRT_START`). Guests map nothing there.
const LINEAR_ENTRY: u16 = 258;

/// Where the hypervisor finds the lowest-level entry of an address.
const fn linear_address(va: u64) -> u64 {
    const START: u64 = 0xffff << 48 | (LINEAR_ENTRY as u64) << 39;
    START + ((va & 0xffff_ffff_f000) >> 9)
}

/// The linear mapping.
#[derive(Debug)]
pub(super) struct LinearMap {
    lock: RwLock,
}

impl LinearMap {
    /// The variables that it needs: the lock has one for each CPU.
    pub(super) const VARS: u32 = MAX_CPUS as u32;

    /// Sets up the entry of the roots.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        bus.set_recursive_entry(LINEAR_ENTRY);
        Self { lock: RwLock::new(bus, lockdep, LINEAR_LOCK) }
    }

    /// Keeps every CPU from changing an upper entry, for as long as the guard lives.
    #[track_caller]
    pub(super) fn keep<'a>(&'a self, cpu: &'a Cpu<'_>) -> RwGuard<'a> {
        self.lock.read(cpu)
    }

    /// Loads the lowest-level entry of an address.
    #[track_caller]
    pub(super) fn load(cpu: &Cpu<'_>, va: u64) -> Result<Entry, PageFault> {
        cpu.load_entry_at(LINEAR_PCID, linear_address(va))
    }

    /// Changes the lowest-level entry of an address in one locked operation. Returns what was there.
    #[track_caller]
    pub(super) fn update(
        cpu: &Cpu<'_>,
        va: u64,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> Result<u64, PageFault> {
        cpu.update_entry_at(LINEAR_PCID, linear_address(va), change)
    }
}

impl Hypervisor {
    /// Changes an upper entry that was present. When this returns, no CPU remembers a way through the old entry.
    #[track_caller]
    pub(super) fn change_upper<R>(&self, cpu: &Cpu<'_>, change: impl FnOnce() -> R) -> R {
        let _alone = self.linear.lock.write(cpu);
        let changed = change();
        if self.protocol.does(Step::FlushLinearMap) {
            let cpus = if self.protocol.does(Step::FlushLinearMapEverywhere) {
                self.flush.all_cpus()
            } else {
                1 << cpu.id()
            };
            self.flush.on(cpu, cpus, Scope::LinearMap);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::paging::{index, span};

    #[test]
    fn the_entries_of_an_address_space_lie_side_by_side() {
        let va = 0xffff_c900_001f_4000;
        assert_eq!(linear_address(va + span(1)), linear_address(va) + 8);
        assert_eq!(linear_address(va + 0xfff), linear_address(va));
        let found = linear_address(va);
        assert_eq!(index(found, 4), usize::from(LINEAR_ENTRY));
        for level in 1..4 {
            assert_eq!(index(found, level), index(va, level + 1), "one level down");
        }
        assert_eq!((found & 0xfff) / 8, index(va, 1) as u64);
    }
}
