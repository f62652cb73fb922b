//! Typed references: taking one may change what a frame is, and dropping the last one lets it become something else.
//!
//! A frame changes its type only while no reference holds the old one. The change has three steps. First the CPU takes the
//! new type, unvalidated, so that no other CPU gets a reference. Then every CPU that may have translations from the old
//! type forgets them (`tlb_clock.rs` tells which have done so already). Then the CPU validates what stands in the frame,
//! and other CPUs may take references. The flush must not come before the type is taken (XSA-401, Xen commit 8cc5036bc3):
//!
//! ```text
//!   c0 promotes a page to an L1 table     c1 maps it writable, writes, unmaps it
//!   type: writable, held 0 times
//!   flush everywhere
//!                                         type: writable, held once
//!                                         set PTE; write fills c1's TLB; clear PTE
//!                                         type: writable, held 0 times
//!   compare-exchange: as it was, so L1
//!   validate
//!                                         write through the stale TLB entry: forges a PTE
//! ```
//!
//! This hypervisor would see that the word has changed: the time at which c1's reference went is part of the word. A
//! hypervisor that keeps the time elsewhere compares the type and the count alone.
//!
//! A flush also drains the CPU's store buffer. So whatever the guest wrote while it could has arrived before its entries
//! are looked at, whether a CPU flushes now or has flushed since the last reference went.
//!
//! The CPU reads that time from the clock after it has read the word, and stores it with the new count in one locked
//! operation. Every reference of a mapping that goes leaves its time, not only the last one. Otherwise the word would not
//! show a CPU that came and went in between:
//!
//! ```text
//!   c0 drops the last reference           c1
//!   clock: 5
//!                                         flushes, at 6
//!                                         takes a reference, maps it, touches it, unmaps it
//!                                         drops its own: 6 is left in the word
//!   compare-exchange: held once, as it was, so 0 times, stamp 5
//!                                         flushed later than 5: would not be interrupted, and still has it
//! ```

use super::Hypervisor;
use super::refusal::Refusal;
use super::tlb_clock::Time;
use super::type_info::{PageType, TypeInfo};
use crate::protocol::Step;
use machine::{Cpu, Frame, Holder, Role, Until, Var, Wait, WaitKind};

impl Hypervisor {
    /// Takes a typed reference to a frame. The frame becomes of that type if no reference holds another (`get_page_type`).
    /// The caller holds a total reference.
    pub(super) fn get_page_type(&self, cpu: &Cpu<'_>, frame: Frame, wanted: PageType) -> Result<(), Refusal> {
        let var = self.frames.type_info(frame);
        let mut seen = TypeInfo(cpu.load(var));
        let (taken, flushed) = loop {
            let found = seen.page_type();
            let taken = if seen.count() == 0 {
                if found == wanted && seen.validated() {
                    seen.taken()
                } else {
                    TypeInfo::unvalidated(wanted, cpu.id())
                }
            } else if found != wanted {
                if !seen.validated() || self.protocol.does(Step::RefuseTypeConflict) {
                    return Err(Refusal::TypeConflict { frame, found, wanted });
                }
                seen.taken()
            } else if seen.validated() {
                seen.taken()
            } else {
                seen = wait_for_worker(cpu, var, seen);
                continue;
            };
            let flushes_first = !taken.validated() && !self.protocol.does(Step::TypeBeforeFlush);
            let exchanged = if flushes_first {
                self.forget_type(cpu, seen, wanted);
                exchange_but_for_stamp(cpu, var, seen, taken)
            } else {
                cpu.compare_exchange(var, seen.0, taken.0)
            };
            match exchanged {
                Ok(()) => break (taken, flushes_first),
                Err(now) => seen = TypeInfo(now),
            }
        };
        if taken.validated() {
            return Ok(());
        }
        if !flushed {
            self.forget_type(cpu, seen, wanted);
        }
        if let Err(refusal) = self.change_type(cpu, frame, wanted) {
            // The one reference is ours: no other CPU can have seen more than a type that is not validated. The frame is of no
            // type now, since every CPU has forgotten the old one. A table that was to be one again is what it was: nothing was
            // flushed for it, and CPUs may remember the way to it until it is something else.
            let left = if seen.page_type() == wanted { seen } else { TypeInfo::NONE };
            cpu.swap(var, left.0);
            return Err(refusal);
        }
        cpu.update(var, |info| Some(TypeInfo(info).with_validation().0));
        Ok(())
    }

    /// Makes every CPU forget what it may remember of a frame that had one type and is about to get another.
    fn forget_type(&self, cpu: &Cpu<'_>, old: TypeInfo, new: PageType) {
        // A frame of no type was neither mapped writable nor walked since the last flush: there is nothing to
        // forget.
        if old.page_type() != new
            && old.page_type() != PageType::None
            && self.protocol.does(Step::FlushOnTypeChange)
        {
            self.flush.forget(cpu, old.stamp());
        }
    }

    /// Makes the frame what its new type says. The caller holds the one reference to the unvalidated type, and no CPU
    /// remembers the old one.
    ///
    /// The role follows the type. The frame has a table's role before any entry can lead here, and loses it only when no
    /// CPU can remember a way here.
    fn change_type(&self, cpu: &Cpu<'_>, frame: Frame, new: PageType) -> Result<(), Refusal> {
        match new {
            PageType::Table(level) => {
                self.validate(cpu, frame, level)?;
                cpu.set_role(frame, Role::Table(level));
            }
            PageType::Writable | PageType::None => {
                if matches!(cpu.bus().memory.role(frame), Role::Table(_)) {
                    cpu.set_role(frame, Role::Data);
                }
            }
        }
        Ok(())
    }

    /// Drops a typed reference (`put_page_type`). The last one of a table gives up what the table leads to. The frame keeps
    /// its type, without a reference, until a CPU asks for another.
    pub(super) fn put_page_type(&self, cpu: &Cpu<'_>, frame: Frame) {
        self.put_page_type_at(cpu, frame, None);
    }

    /// The same, for a reference that went at this time; `None` means now.
    fn put_page_type_at(&self, cpu: &Cpu<'_>, frame: Frame, went: Option<Time>) {
        let var = self.frames.type_info(frame);
        let mut seen = TypeInfo(cpu.load(var));
        loop {
            if seen.count() == 0 || !seen.validated() {
                cpu.bug("a typed reference is dropped that was not held");
            }
            let last_of_table = match seen.page_type() {
                PageType::Table(level) if seen.count() == 1 => Some(level),
                _ => None,
            };
            // The last reference to a table stays until its entries are given up. It is unvalidated
            // meanwhile, so no CPU takes another.
            let dropped = match last_of_table {
                Some(_) => seen.without_validation(cpu.id()),
                None if seen.page_type() == PageType::Writable => {
                    seen.dropped().stamped(self.time_of(cpu, went))
                }
                None => seen.dropped(),
            };
            if let Err(now) = cpu.compare_exchange(var, seen.0, dropped.0) {
                seen = TypeInfo(now);
                continue;
            }
            if let Some(level) = last_of_table {
                if self.protocol.does(Step::GiveUpEntries) {
                    self.devalidate(cpu, frame, level);
                }
                let now = self.time_of(cpu, went);
                cpu.update(var, |info| Some(TypeInfo(info).without_worker().dropped().stamped(now).0));
            }
            return;
        }
    }

    /// Takes a total and a typed reference (`get_page_and_type`).
    pub(super) fn get_page_and_type(
        &self,
        cpu: &Cpu<'_>,
        frame: Frame,
        wanted: PageType,
    ) -> Result<(), Refusal> {
        self.frames.get_page(cpu, frame)?;
        self.get_page_type(cpu, frame, wanted).inspect_err(|_| self.frames.put_page(cpu, frame))
    }

    /// Drops a typed and a total reference (`put_page_and_type`).
    pub(super) fn put_page_and_type(&self, cpu: &Cpu<'_>, frame: Frame) {
        self.put_page_and_type_at(cpu, frame, None);
    }

    /// The same, for a reference that went at this time; `None` means now.
    pub(super) fn put_page_and_type_at(&self, cpu: &Cpu<'_>, frame: Frame, went: Option<Time>) {
        self.put_page_type_at(cpu, frame, went);
        self.frames.put_page(cpu, frame);
    }

    fn time_of(&self, cpu: &Cpu<'_>, went: Option<Time>) -> Time {
        went.unwrap_or_else(|| self.flush.time(cpu))
    }
}

/// The exchange of a hypervisor that keeps the stamp beside the word: it cannot see whether the stamp has changed.
fn exchange_but_for_stamp(cpu: &Cpu<'_>, var: Var, seen: TypeInfo, taken: TypeInfo) -> Result<(), u64> {
    let is_as_seen = |info: u64| TypeInfo(info).stamped(0) == seen.stamped(0);
    let found = cpu.update(var, |info| is_as_seen(info).then_some(taken.0));
    if is_as_seen(found) { Ok(()) } else { Err(found) }
}

/// Another CPU validates the frame as the same type, or takes that back: waits until it has decided.
fn wait_for_worker(cpu: &Cpu<'_>, var: Var, seen: TypeInfo) -> TypeInfo {
    let holder = seen.worker().map_or(Holder::Anyone, Holder::Cpu);
    cpu.wait(Wait { var, until: Until::IsNot(seen.0), holder, kind: WaitKind::Spin });
    TypeInfo(cpu.load(var))
}
