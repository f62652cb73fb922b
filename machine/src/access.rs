//! How code on a CPU touches shared memory: plain, locked, fenced; kernel variables and physical frames.
//!
//! Total store order (SDM volume 3A, 8.2; AMD APM volume 2, 7.2): a CPU performs loads at once and in order. Plain stores
//! leave in order through one buffer. Locked operations and fences empty the buffer first.

use crate::alarm::AlarmKind;
use crate::cpu::Cpu;
use crate::memory::{Role, Target, Var, Word};
use crate::paging::{Entry, Frame};
use crate::point::{Family, PointKind, Temperament};
use crate::trace::TraceEvent;
use std::panic::Location;

impl Cpu<'_> {
    /// A plain load.
    #[inline]
    #[track_caller]
    pub fn load(&self, var: Var) -> u64 {
        self.load_from(Target::Var(var), var.family)
    }

    /// A plain store. It may wait in the store buffer until something serialises.
    #[inline]
    #[track_caller]
    pub fn store(&self, var: Var, value: u64) {
        self.store_to(Target::Var(var), var.family, value);
    }

    /// A locked read-modify-write: `change` gives the new value, or none to leave the old. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn update(&self, var: Var, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.locked(Target::Var(var), var.family, change)
    }

    /// A locked exchange. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn swap(&self, var: Var, value: u64) -> u64 {
        self.update(var, |_| Some(value))
    }

    /// A locked addition, wrapping. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn fetch_add(&self, var: Var, more: u64) -> u64 {
        self.update(var, |old| Some(old.wrapping_add(more)))
    }

    /// A locked subtraction, wrapping. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn fetch_sub(&self, var: Var, less: u64) -> u64 {
        self.update(var, |old| Some(old.wrapping_sub(less)))
    }

    /// A locked compare-and-exchange: `Ok(())` if the value was `old` and is `new` now, else what it was.
    #[inline]
    #[track_caller]
    pub fn compare_exchange(&self, var: Var, old: u64, new: u64) -> Result<(), u64> {
        let found = self.update(var, |value| (value == old).then_some(new));
        if found == old { Ok(()) } else { Err(found) }
    }

    /// A full fence.
    #[inline]
    #[track_caller]
    pub fn fence(&self) {
        self.point(PointKind::Fence, Family::NONE);
        self.drain();
        self.trace(|| TraceEvent::Fence, Location::caller());
    }

    // --- physical memory ---

    /// A plain load of a word of a frame.
    #[inline]
    #[track_caller]
    pub fn load_word(&self, word: Word, family: Family) -> u64 {
        self.load_from(Target::Word(word), family)
    }

    /// A plain store to a word of a frame.
    #[inline]
    #[track_caller]
    pub fn store_word(&self, word: Word, family: Family, value: u64) {
        self.store_to(Target::Word(word), family, value);
    }

    /// A locked read-modify-write of a word of a frame, as [`Cpu::update`].
    #[inline]
    #[track_caller]
    pub fn update_word(&self, word: Word, family: Family, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.locked(Target::Word(word), family, change)
    }

    /// Loads an entry of a table. A walk of a frame that is not a table of this level raises an alarm at once.
    #[inline]
    #[track_caller]
    pub fn load_entry(&self, word: Word, level: u8) -> Entry {
        self.load_entry_as(word, level, Family::of_level(level))
    }

    /// The same, on the way to an address: the alarm names it.
    #[inline]
    #[track_caller]
    pub fn load_entry_for(&self, word: Word, level: u8, va: u64) -> Entry {
        let entry = Entry(self.load_from(Target::Word(word), Family::of_level(level)));
        if !self.bus.memory.is_table(word.frame, level) {
            self.alarm(AlarmKind::FreedTableWalked { frame: word.frame, level, va });
        }
        entry
    }

    /// The same, for tables with a family of their own.
    #[inline]
    #[track_caller]
    pub fn load_entry_as(&self, word: Word, level: u8, family: Family) -> Entry {
        let entry = Entry(self.load_from(Target::Word(word), family));
        self.expect_table(word.frame, level);
        entry
    }

    /// A locked read-modify-write of an entry of such a table, as [`Cpu::update_word`]. A write to a frame that is not a
    /// table of this level raises an alarm at once.
    #[inline]
    #[track_caller]
    pub fn update_entry_as(
        &self,
        word: Word,
        level: u8,
        family: Family,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> Entry {
        self.point(PointKind::Locked, family);
        self.expect_table(word.frame, level);
        Entry(self.perform_locked(Target::Word(word), change))
    }

    #[inline]
    #[track_caller]
    fn expect_table(&self, frame: Frame, level: u8) {
        if !self.bus.memory.is_table(frame, level) {
            self.alarm(AlarmKind::FreedTableWalked { frame, level, va: 0 });
        }
    }

    /// A frame becomes a table of this level and holds these entries, from the first on (one point). As with
    /// [`Cpu::clear_frame`], the entries have reached memory when this returns.
    #[track_caller]
    pub fn fill_table(&self, frame: Frame, level: u8, entries: impl Iterator<Item = Entry>) {
        self.point(PointKind::Store, Family::DATA);
        self.drain();
        self.bus.memory.fill(frame, entries.map(|entry| entry.0));
        let old = self.bus.memory.role(frame);
        self.bus.memory.set_role(frame, Role::Table(level));
        self.trace(|| TraceEvent::Role { frame, old, new: Role::Table(level) }, Location::caller());
    }

    /// A frame goes back to where it came from. Freeing it twice raises an alarm at once.
    #[track_caller]
    pub fn free_frame(&self, frame: Frame) {
        if self.bus.memory.role(frame) == Role::Free {
            self.alarm(AlarmKind::FrameFreedTwice { frame });
        }
        self.set_role(frame, Role::Free);
    }

    /// All words of a frame become 0 (one point). No store buffer holds 512 stores, so these push out every store made
    /// before them, and have reached memory themselves when this returns.
    #[inline]
    #[track_caller]
    pub fn clear_frame(&self, frame: Frame) {
        self.point(PointKind::Store, Family::DATA);
        self.drain();
        self.bus.clear(frame);
        self.trace(|| TraceEvent::Cleared { frame }, Location::caller());
    }

    /// A frame changes its role.
    #[inline]
    #[track_caller]
    pub fn set_role(&self, frame: Frame, role: Role) {
        self.point(PointKind::Role, Family::NONE);
        let old = self.bus.memory.role(frame);
        self.bus.memory.set_role(frame, role);
        self.trace(|| TraceEvent::Role { frame, old, new: role }, Location::caller());
    }

    #[inline(always)]
    #[track_caller]
    fn load_from(&self, target: Target, family: Family) -> u64 {
        self.point(PointKind::Load, family);
        let value = self.seen(target);
        self.trace(|| TraceEvent::Load { target, value }, Location::caller());
        value
    }

    #[inline(always)]
    #[track_caller]
    fn store_to(&self, target: Target, family: Family, value: u64) {
        self.point(PointKind::Store, family);
        let buffered = self.bus.temperament().contains(Temperament::LAZY_STORES);
        if self.bus.tracing() {
            let old = self.bus.in_memory(target);
            self.trace(|| TraceEvent::Store { target, old, value, buffered }, Location::caller());
        }
        if buffered {
            self.bus.buffer(self.id, target, value);
        } else {
            self.bus.commit(target, value);
        }
    }

    #[inline(always)]
    #[track_caller]
    fn locked(&self, target: Target, family: Family, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.point(PointKind::Locked, family);
        self.perform_locked(target, change)
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn perform_locked(&self, target: Target, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.drain();
        self.bus.before_locked(target);
        let old = self.bus.in_memory(target);
        let new = change(old);
        self.trace(|| TraceEvent::Locked { target, old, new: new.unwrap_or(old) }, Location::caller());
        if let Some(new) = new {
            self.bus.commit_locked(target, new);
        }
        old
    }
}
