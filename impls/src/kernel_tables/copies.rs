//! The copies in step: each address space has upper levels of its own, down to the one whose entries lead to tables of the
//! lowest level. Those tables, and the direct map, are shared by all.
//!
//! The kernel's own tables are the reference: software walks them, and an entry of the copied level is set and
//! cleared there first; the copies follow. A CPU that does so holds the mutex over the tables, or `pgd_lock` where it may not
//! sleep; a CPU that makes or drops an address space holds both, so that the list of copies stands still for either. What is added
//! may come late, as long as no access needs it yet; what is removed must be gone everywhere before the flush. Else the hardware
//! goes by a copy that was forgotten:
//!
//! ```text
//!   c0 purge                              c1, in another address space
//!   clear the entry in init_mm
//!   flush everywhere
//!                                         walks its own copy of it, remembers the way to the table
//!   clear the copy: too late, or never
//!   free the table
//!                                         walks a table that was freed
//! ```
//!
//! which breaks rule 6. A CPU may load another root in the middle of it: from one that is in step to one that is not yet,
//! or back. So the flush goes to all CPUs, whatever they have loaded, and stands after the last copy.

use super::{KernelTables, TableUsers};
use crate::base::Base;
use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::Walk;
use crate::protocol::{KernelSync, Step};
use crate::sync::{LockClass, Lockdep, MutexGuard, SpinGuard, SpinLock};
use machine::{Bus, Cpu, Entry, Word};
use std::cell::RefCell;
use std::rc::Rc;

/// The level whose entries lead to the shared tables.
pub(crate) const COPIED: u8 = 2;

const PGD_LOCK: LockClass = LockClass { family: family::PGD_LOCK, name: "pgd_lock" };

/// The copies that are kept in step.
#[derive(Debug)]
pub(super) struct Copies {
    /// Their roots (`pgd_list`). Read under the mutex over the tables or under the lock, and changed under both.
    roots: RefCell<Vec<Pfn>>,
    lock: SpinLock<()>,
}

/// As long as this lives nothing is added to the tables or removed from them, and no large leaf changes.
#[derive(Debug)]
pub(crate) struct Still<'a> {
    /// Released before the mutex.
    _copies: SpinGuard<'a, ()>,
    _users: MutexGuard<'a, TableUsers>,
}

impl Copies {
    /// There is none.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        Self { roots: RefCell::default(), lock: SpinLock::new(bus, lockdep, PGD_LOCK, ()) }
    }

    /// Whether there is none. For holders of the mutex or the lock, and while no CPU runs.
    pub(super) fn are_none(&self) -> bool {
        self.roots.borrow().is_empty()
    }

    /// All of them. For holders of the mutex or the lock.
    fn roots(&self) -> Vec<Pfn> {
        self.roots.borrow().clone()
    }
}

impl KernelTables {
    /// Whether no address space has a copy, while no CPU runs.
    pub(crate) fn have_no_copies(&self) -> bool {
        self.copies.are_none()
    }

    /// Holds the tables as they are, large leaves included.
    pub(crate) fn hold_still<'a>(&'a self, cpu: &'a Cpu<'_>) -> Still<'a> {
        let users = self.hold(cpu);
        Still { _copies: self.copies.lock.lock(cpu), _users: users }
    }

    /// Holds the tables as they are, but for large leaves: those may change.
    pub(crate) fn hold<'a>(&'a self, cpu: &'a Cpu<'_>) -> MutexGuard<'a, TableUsers> {
        self.users.lock(cpu)
    }

    /// Holds the large leaves as they are, in a handler or where it may be interrupted by one.
    pub(crate) fn hold_leaves_irqsave<'a>(&'a self, cpu: &'a Cpu<'_>) -> SpinGuard<'a, ()> {
        self.copies.lock.lock_irqsave(cpu)
    }

    /// A copy is kept in step from now on. It is in step, and the tables are held still.
    pub(crate) fn list(&self, _: &Still<'_>, root: Pfn) {
        self.copies.roots.borrow_mut().push(root);
    }

    /// A copy is kept in step no more. The mutex over the tables is held.
    pub(crate) fn unlist(&self, cpu: &Cpu<'_>, _: &MutexGuard<'_, TableUsers>, root: Pfn) {
        let _copies = self.copies.lock.lock(cpu);
        self.copies.roots.borrow_mut().retain(|listed| *listed != root);
    }

    /// An entry was added to the kernel's own tables: it goes into every copy (`arch_sync_kernel_mappings`), unless the
    /// design leaves that to the accesses that fault for lack of it. No caller knows the address behind it yet. A platform to
    /// which addresses are handed looks at the copy that is loaded, and raises no fault that could repair it.
    ///
    /// The mutex over the tables is held, by which a copy is on the list exactly as long as its tables are tables.
    pub(super) fn add_to_copies<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, va: u64, entry: Entry) {
        if self.copies.are_none()
            || base.protocol.designs.kernel_sync == KernelSync::OnFault
            || !base.protocol.does(Step::AddToEveryMm)
        {
            return;
        }
        for root in self.copies.roots() {
            set_copied(base, cpu, entry_in(base, cpu, root, va), entry);
        }
    }

    /// The same for one that is gone: it goes from every copy, whatever the design. The mutex over the tables is held, or
    /// `pgd_lock`.
    pub(super) fn remove_from_copies<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, va: u64) {
        if !self.copies.are_none() && base.protocol.does(Step::RemoveFromEveryMm) {
            self.change_in_copies(base, cpu, va, Entry::EMPTY);
        }
    }

    /// Changes a large leaf, in the kernel's own tables and wherever it was copied to: that is not left to the accesses that
    /// fault, since what a copy has is too much, and not too little:
    ///
    /// ```text
    ///   c0 set-memory-ro                      c1, in another address space
    ///   the leaf in init_mm: read-only
    ///   flush everywhere                      forgets it
    ///                                         walks its own copy of it: writable
    ///   returns: the page can be written
    /// ```
    ///
    /// Works with interrupts off.
    #[track_caller]
    pub(super) fn change_large_leaf<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        word: Word,
        va: u64,
        entry: Entry,
    ) {
        let _copies = self.copies.lock.lock(cpu);
        set_copied(base, cpu, word, entry);
        if !self.copies.are_none() && base.protocol.does(Step::ChangeLeafInEveryMm) {
            self.change_in_copies(base, cpu, va, entry);
        }
    }

    /// Changes an entry in those copies that have it.
    fn change_in_copies<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, va: u64, entry: Entry) {
        for root in self.copies.roots() {
            let word = entry_in(base, cpu, root, va);
            if cpu.load_entry(word, COPIED).present() {
                set_copied(base, cpu, word, entry);
            }
        }
    }
}

/// Where the entry of the copied level for an address stands in the copy under a root.
fn entry_in<P: PvMmu>(base: &Base<P>, cpu: &Cpu<'_>, root: Pfn, va: u64) -> Word {
    let word = Walk::from(base.pv.frame_of(root)).entry(cpu, va, COPIED);
    word.unwrap_or_else(|| cpu.bug("an address space lacks upper levels"))
}

/// Sets an entry of the copied level.
pub(crate) fn set_copied<P: PvMmu>(base: &Base<P>, cpu: &Cpu<'_>, word: Word, entry: Entry) {
    if base.pv.set_entry(cpu, word, COPIED, entry).is_err() {
        cpu.bug("the platform does not let upper entries be kept in step");
    }
}
