//! Callers do something in an address space: as a thread of it, which is in user mode afterwards.

use crate::kernel::Kernel;
use crate::mm::{Accessed, Backing, Mm, Want, return_to_user};
use crate::paravirt::PvMmu;
use crate::user_layout;
use machine::{Cpu, Family, Word};
use oracle::vocabulary::{
    Backing as Told, Destination, MAX_PAGES, MmSlot, Outcome, PinSlot, Pinned, PinnedPage, Token, UserAccess,
    UserPage, UserRange,
};
use std::rc::Rc;

/// How pages are got at that are to be pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Path {
    /// First by a walk without a lock.
    Fast,
    /// By faults alone.
    Slow,
    /// The same, to be written although user code may only read them.
    Forced,
}

/// What callers know of an access that did not go through.
fn failed<T>(accessed: &Accessed<T>) -> Outcome {
    if matches!(accessed, Accessed::NoMemory) { Outcome::NoMemory } else { Outcome::Fault }
}

impl<P: PvMmu> Kernel<P> {
    /// A thread of the address space asks the kernel for something, and is in user mode again afterwards.
    pub(super) fn as_thread(
        &self,
        cpu: &Cpu<'_>,
        mm: MmSlot,
        ask: impl FnOnce(&Rc<Mm>) -> Outcome,
    ) -> Option<Outcome> {
        let mm = self.callers.mms[mm.index()].borrow().clone()?;
        self.enter_thread(cpu, &mm);
        let outcome = ask(&mm);
        return_to_user(cpu);
        Some(outcome)
    }

    pub(super) fn map_user(
        &self,
        cpu: &Cpu<'_>,
        at: UserRange,
        what: Told,
        access: UserAccess,
    ) -> Option<Outcome> {
        let object = match what.object() {
            Some(from) => Some((self.callers.objects[from.object.index()].borrow().clone()?, from.page)),
            None => None,
        };
        self.as_thread(cpu, at.mm, |mm| {
            let Some((object, page)) = object else {
                self.mmap(cpu, mm, user_layout::range(at), Backing::Anonymous, access.writes());
                return Outcome::Done;
            };
            // Pages of an object that follow each other are mapped where no gap lies between them.
            for run in user_layout::runs(at) {
                let from = u64::from(page) + u64::from(run.page - at.page);
                let shared = matches!(what, Told::Shared(_));
                let backing = Backing::Object { object: Rc::clone(&object), from, shared };
                self.mmap(cpu, mm, user_layout::range(run), backing, access.writes());
            }
            self.put_object(cpu, object);
            Outcome::Done
        })
    }

    /// Pages move together where no gap lies between them, neither before nor afterwards.
    pub(super) fn move_user(&self, cpu: &Cpu<'_>, at: UserRange, to: Destination) -> Option<Outcome> {
        self.as_thread(cpu, at.mm, |mm| {
            let Some((from, onto)) = at.moved(to) else { return Outcome::Fault };
            for run in user_layout::runs(from) {
                let there = UserRange { page: onto.page + (run.page - from.page), ..run };
                for there in user_layout::runs(there) {
                    let run = UserRange { page: from.page + (there.page - onto.page), ..there };
                    let to = user_layout::page(there.page);
                    if self.mremap(cpu, mm, user_layout::range(run), to).is_err() {
                        return Outcome::NoMemory;
                    }
                }
            }
            Outcome::Done
        })
    }

    pub(super) fn load_user(&self, cpu: &Cpu<'_>, at: UserPage) -> Option<Outcome> {
        let va = user_layout::page(at.page).address();
        self.as_thread(cpu, at.mm, |_| match self.in_user_mode(cpu, || cpu.read(va)) {
            Accessed::Done(value) => Outcome::Value(Token(value as u32)),
            accessed => failed(&accessed),
        })
    }

    pub(super) fn store_user(&self, cpu: &Cpu<'_>, at: UserPage, token: Token) -> Option<Outcome> {
        let va = user_layout::page(at.page).address();
        self.as_thread(cpu, at.mm, |_| match self.in_user_mode(cpu, || cpu.write(va, token.0.into())) {
            Accessed::Done(()) => Outcome::Done,
            accessed => failed(&accessed),
        })
    }

    pub(super) fn copy_from(&self, cpu: &Cpu<'_>, at: UserPage) -> Option<Outcome> {
        let va = user_layout::page(at.page).address();
        self.as_thread(cpu, at.mm, |_| match self.for_user(cpu, || cpu.read(va)) {
            Accessed::Done(value) => Outcome::Value(Token(value as u32)),
            accessed => failed(&accessed),
        })
    }

    pub(super) fn copy_to(&self, cpu: &Cpu<'_>, at: UserPage, token: Token) -> Option<Outcome> {
        let va = user_layout::page(at.page).address();
        self.as_thread(cpu, at.mm, |_| match self.for_user(cpu, || cpu.write(va, token.0.into())) {
            Accessed::Done(()) => Outcome::Done,
            accessed => failed(&accessed),
        })
    }

    pub(super) fn pin_user(
        &self,
        cpu: &Cpu<'_>,
        at: UserRange,
        access: UserAccess,
        slot: PinSlot,
        path: Path,
    ) -> Option<Outcome> {
        let pages: Vec<_> = at.pages().map(user_layout::page).collect();
        let may_sleep = cpu.interrupts_on();
        self.as_thread(cpu, at.mm, |mm| {
            let pins = match path {
                Path::Fast => self.get_user_pages_fast(cpu, mm, &pages, access.writes(), may_sleep),
                Path::Slow => self.get_user_pages(cpu, mm, &pages, Want::of(access.writes())),
                Path::Forced => self.get_user_pages(cpu, mm, &pages, Want::ForcedWrite),
            };
            let mut frames = [0; MAX_PAGES];
            for (frame, pfn) in frames.iter_mut().zip(&pins.pages) {
                *frame = self.pv.frame_of(*pfn).0;
            }
            let count = pins.pages.len() as u8;
            self.callers.pins[slot.index()].replace(Some(pins));
            Outcome::Pinned(Pinned { count, frames })
        })
    }

    /// Does something with the word of a pinned page, and with whether it may be written; a fault if fewer pages were pinned.
    fn with_pinned(&self, at: PinnedPage, does: impl FnOnce(Word, bool) -> Outcome) -> Option<Outcome> {
        let (page, writable) = {
            let pins = self.callers.pins[at.pins.index()].borrow();
            let pins = pins.as_ref()?;
            (pins.pages.get(usize::from(at.page)).copied(), pins.writable)
        };
        Some(page.map_or(Outcome::Fault, |pfn| does(Word::new(self.pv.frame_of(pfn), 0), writable)))
    }

    pub(super) fn read_pinned(&self, cpu: &Cpu<'_>, at: PinnedPage) -> Option<Outcome> {
        self.with_pinned(at, |word, _| Outcome::Value(Token(cpu.load_word(word, Family::DATA) as u32)))
    }

    pub(super) fn write_pinned(&self, cpu: &Cpu<'_>, at: PinnedPage, token: Token) -> Option<Outcome> {
        self.with_pinned(at, |word, writable| {
            if !writable {
                return Outcome::Fault;
            }
            cpu.store_word(word, Family::DATA, token.0.into());
            Outcome::Done
        })
    }

    pub(super) fn let_go_of_pins(&self, cpu: &Cpu<'_>, pins: PinSlot) -> Option<Outcome> {
        let pins = self.callers.pins[pins.index()].take()?;
        self.unpin_user_pages(cpu, pins);
        Some(Outcome::Done)
    }
}
