//! What operations do to user memory: `user_memory` says what each page may lead to, `contents` what the words hold that it leads
//! to, and this file joins the two. It does not ask whether an answer was legal.
//!
//! A store or a load in flight reaches each word that its page may lead to at some moment of it, from that moment on. A store and
//! a pin to be written may copy a private page whenever it is not copied yet. What another backend may have done where this one
//! did nothing takes the words out of the comparison.

use crate::contents::CPUS;
use crate::user_memory::{Change, Memory, Reach, State};
use crate::vocabulary::{
    Backing, Operation, Outcome, PinSlot, PinnedPage, Sort, Token, USER_PAGES, UserAccess, UserPage,
    UserRange,
};

use super::{Flight, Reference};

/// What the reference knows of a page of user addresses at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserPageView {
    /// In some possible state a load succeeds. What a CPU may still use of the past counts.
    pub may_be_mapped: bool,
    /// In some possible state a store succeeds; the kernel may have to copy the page first.
    pub may_be_written: bool,
    /// Exactly one state is possible, and no operation in flight changes the page.
    pub is_certain: bool,
}

impl Reference {
    /// What a page of user addresses may be. Where its address space is not there on this backend, it is nothing and not certain.
    ///
    /// # Panics
    /// If the number of the page is not below [`USER_PAGES`].
    pub fn user_page(&self, at: UserPage) -> UserPageView {
        assert!(at.page < USER_PAGES, "an address space has {USER_PAGES} pages, and no {at}");
        let (states, is_certain) = self.user.usable(at);
        UserPageView {
            may_be_mapped: states.iter().any(|state| state.reads().is_some()),
            may_be_written: states.iter().any(|state| state.writes().is_some()),
            is_certain,
        }
    }

    /// The pins that stand on this backend and that no caller has begun to let go of, by their slots, and how many pages each has.
    pub fn pins(&self) -> impl Iterator<Item = (PinSlot, u8)> {
        let live = self.things.all(Sort::Pins).filter(|(_, thing)| thing.is_live());
        live.map(|(slot, _)| (PinSlot::new(slot), self.user.pinned(PinSlot::new(slot))))
    }

    pub(super) fn begin_user(&mut self, cpu: usize, operation: &Operation, void: bool) {
        if void {
            self.begin_void(operation);
            return;
        }
        match *operation {
            Operation::DropMm { mm } => self.user.retire(mm),
            Operation::Mmap { at, what, access } => {
                self.begin_flight(cpu, at, Reach::Nothing, |reference, page| {
                    Some(Change::Becomes(reference.mapped(what, page, access.writes())))
                });
            }
            Operation::Munmap { at } => {
                self.begin_flight(cpu, at, Reach::Nothing, |_, _| Some(Change::Becomes(State::Unmapped)));
            }
            Operation::Mprotect { at, access } => {
                let change = Change::Protect { writable: access.writes() };
                self.begin_flight(cpu, at, Reach::Nothing, |_, _| Some(change));
            }
            Operation::Dontneed { at } => self.begin_flight(cpu, at, Reach::Nothing, |reference, _| {
                let zeroed = reference.contents.take_zeroed();
                Some(Change::Renew { zeroed, copy: reference.contents.take() })
            }),
            Operation::Reclaim { .. } => self.user.begin_reclaim(),
            Operation::Mremap { at, to } => {
                if let Some((from, onto)) = at.moved(to) {
                    self.user.begin_move(cpu, from, onto);
                    self.user.concerned(cpu).for_each(|at| self.meet(cpu, at, cpu));
                    self.meet_all();
                }
            }
            Operation::GupFast { at, access, .. } | Operation::Gup { at, access, .. } => {
                let change = access.writes().then_some(Change::Copy);
                self.begin_flight(cpu, at, Reach::Pin(access), |_, _| change);
            }
            Operation::GupForced { at, .. } => {
                self.begin_flight(cpu, at, Reach::Force, |_, _| Some(Change::ForcedCopy));
            }
            Operation::Load { at } | Operation::CopyFromUser { at } => {
                self.contents.open_read(cpu);
                self.begin_flight(cpu, alone(at), Reach::Load, |_, _| None);
            }
            Operation::Store { at, token } | Operation::CopyToUser { at, token } => {
                self.contents.open_write(cpu, token);
                self.begin_flight(cpu, alone(at), Reach::Store, |_, _| Some(Change::Copy));
            }
            Operation::PinRead { at } if self.is_pinned(at) => {
                self.contents.open_read(cpu);
                self.join_pinned(cpu, at);
            }
            Operation::PinWrite { at, token } => self.begin_pin_write(cpu, at, token),
            _ => {}
        }
    }

    /// It is void here. On other backends it may change pages and words.
    fn begin_void(&mut self, operation: &Operation) {
        match *operation {
            Operation::Mmap { at, .. } if self.things.get(Sort::Mm, at.mm.number()).is_obtained() => {
                self.user.skip(at);
            }
            Operation::Store { .. } | Operation::CopyToUser { .. } | Operation::PinWrite { .. } => {
                self.contents.skip_taken();
            }
            _ => {}
        }
    }

    pub(super) fn end_user(&mut self, cpu: usize, flight: &Flight, operation: &Operation, outcome: Outcome) {
        if flight.void {
            return;
        }
        let done = outcome == Outcome::Done;
        match *operation {
            Operation::NewMm { mm } if done => self.user.make(mm),
            Operation::DropMm { mm } => self.user.end(mm),
            Operation::NewObject { count, object } if done => {
                let homes = self.user.object_mut(object);
                homes.clear();
                homes.extend((0..count.0).map(|_| self.contents.take_zeroed()));
            }
            Operation::Mmap { .. }
            | Operation::Munmap { .. }
            | Operation::Mprotect { .. }
            | Operation::Dontneed { .. } => self.user.end_flight(cpu, |_| done),
            Operation::Reclaim { .. } => self.user.end_reclaim(),
            Operation::Mremap { at, to } if at.moved(to).is_some() => self.user.end_flight(cpu, |_| done),
            Operation::Load { .. } | Operation::CopyFromUser { .. } => {
                self.contents.end_read(cpu);
                self.user.end_flight(cpu, |_| false);
            }
            Operation::Store { .. } | Operation::CopyToUser { .. } => {
                if done {
                    self.contents.end_write(cpu, self.user.met(cpu, 0).1);
                } else {
                    self.contents.abandon_write(cpu);
                }
                self.contents.end_copies(cpu);
                self.user.end_flight(cpu, |_| done);
            }
            Operation::GupFast { access, pins, .. } | Operation::Gup { access, pins, .. } => {
                self.end_pinning(cpu, pins, access, outcome);
            }
            Operation::GupForced { pins, .. } => {
                self.end_pinning(cpu, pins, UserAccess::Writable, outcome);
            }
            Operation::PinRead { at } if self.is_pinned(at) => self.contents.end_read(cpu),
            Operation::PinWrite { at, .. } if self.is_written_pinned(at) => match outcome {
                Outcome::Done => self.contents.end_write(cpu, self.user.pinned_page(at).1),
                _ => self.contents.abandon_write(cpu),
            },
            _ => {}
        }
    }

    fn end_pinning(&mut self, cpu: usize, pins: PinSlot, access: UserAccess, outcome: Outcome) {
        let count = if let Outcome::Pinned(pinned) = outcome { pinned.count } else { 0 };
        self.user.pin(cpu, pins, count, access);
        self.contents.end_copies(cpu);
        self.user.end_flight(cpu, |page| page < count);
    }

    /// What a page of a mapping leads to, counted from the first.
    fn mapped(&mut self, what: Backing, page: u8, writable: bool) -> State {
        let memory = match what {
            Backing::Anonymous => Memory::Anonymous(self.contents.take_zeroed()),
            Backing::Shared(from) | Backing::Private(from) => {
                let Some(home) = self.user.object_page(from.object, from.page + page) else {
                    return State::Beyond;
                };
                if let Backing::Shared(_) = what {
                    Memory::Shared(home)
                } else {
                    Memory::Private { object: home, copy: self.contents.take(), copied: false }
                }
            }
        };
        State::Mapped { memory, writable }
    }

    /// An operation begins that does this to the pages of its range, counted from the first.
    fn begin_flight(
        &mut self,
        cpu: usize,
        range: UserRange,
        reach: Reach,
        mut change: impl FnMut(&mut Self, u8) -> Option<Change>,
    ) {
        self.user.begin(cpu, range, reach);
        for (n, page) in (0..).zip(range.pages()) {
            let (at, change) = (UserPage { mm: range.mm, page }, change(self, n));
            self.user.begin_page(cpu, at, change);
            self.meet(cpu, at, cpu);
            if change.is_some() {
                (0..CPUS).filter(|other| *other != cpu).for_each(|other| self.meet(other, at, cpu));
            }
        }
        if self.user.spread() {
            self.meet_all();
        }
    }

    /// Pages move: what became possible may be anywhere.
    fn meet_all(&mut self) {
        self.user.spread();
        for cpu in 0..CPUS {
            self.user.concerned(cpu).for_each(|at| self.meet(cpu, at, CPUS));
        }
    }

    /// The operation on a CPU reaches what the page may lead to since one began on the other.
    fn meet(&mut self, cpu: usize, at: UserPage, began: usize) {
        while let Some((reach, state)) = self.user.meet(cpu, at, cpu != began) {
            let copies = match reach {
                Reach::Pin(access) if !access.writes() => None,
                Reach::Store | Reach::Pin(_) => state.copies(),
                Reach::Force => state.copies_if_forced(),
                Reach::Nothing | Reach::Load => None,
            };
            if let Some((from, to)) = copies {
                self.contents.begin_copy(cpu, from, to);
            }
            let home = match reach {
                Reach::Load => state.reads(),
                Reach::Store => state.writes(),
                Reach::Nothing | Reach::Pin(_) | Reach::Force => None,
            };
            if let Some(home) = home {
                self.contents.join(cpu, home);
            }
        }
    }

    /// Whether this backend pinned the page.
    pub(super) fn is_pinned(&self, at: PinnedPage) -> bool {
        at.page < self.user.pinned(at.pins)
    }

    /// Whether this backend pinned the page to be written.
    pub(super) fn is_written_pinned(&self, at: PinnedPage) -> bool {
        self.is_pinned(at) && self.user.pinned_for(at.pins).writes()
    }

    fn begin_pin_write(&mut self, cpu: usize, at: PinnedPage, token: Token) {
        if self.is_written_pinned(at) {
            self.contents.open_write(cpu, token);
            self.join_pinned(cpu, at);
        } else if self.user.pinned_for(at.pins).writes() {
            // Other backends may have pinned it.
            self.user.pinned_page(at).0.iter().for_each(|home| self.contents.skip(*home));
        }
    }

    fn join_pinned(&mut self, cpu: usize, at: PinnedPage) {
        self.user.pinned_page(at).0.iter().for_each(|home| self.contents.join(cpu, *home));
    }
}

/// A range of this page alone.
const fn alone(at: UserPage) -> UserRange {
    UserRange { mm: at.mm, page: at.page, count: 1 }
}
