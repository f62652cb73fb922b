//! Address spaces, as far as the reference cares: whether they are there, and whether a CPU is on the way into one. What
//! is seen through them is the same in all of them, so nothing here is about contents.

use crate::handle::Handle;
use crate::vocabulary::{MmCall, MmSlot, Outcome, Root, SLOTS};

#[derive(Clone, Copy, Debug, Default)]
struct Space {
    handle: Handle,
    /// CPUs that are on the way into it.
    coming: u8,
}

/// All of them, by their slots, and how many of them are held.
#[derive(Debug, Default)]
pub(crate) struct Spaces([Space; SLOTS as usize], u8);

impl Spaces {
    /// Whether what a call needs was never obtained on this backend.
    pub(crate) fn lack(&self, call: MmCall) -> bool {
        let absent = |mm: MmSlot| !self.0[mm.index()].handle.is_obtained();
        match call {
            MmCall::New { .. } => false,
            MmCall::Switch { to } => to.mm().is_some_and(absent),
            MmCall::Drop { mm } => absent(mm),
        }
    }

    /// Whether there is one, or may be.
    pub(crate) const fn are_held(&self) -> bool {
        self.1 > 0
    }

    pub(crate) fn begin(&mut self, call: MmCall) {
        match call {
            MmCall::New { mm } => {
                self.0[mm.index()].handle.come(mm);
                self.1 += 1;
            }
            MmCall::Switch { to: Root::Init } => {}
            MmCall::Switch { to: Root::Mm(mm) } => {
                let space = &mut self.0[mm.index()];
                space.handle.must_be_present(mm);
                space.coming += 1;
            }
            MmCall::Drop { mm } => {
                let space = &mut self.0[mm.index()];
                assert!(space.coming == 0, "the story drops {mm} while a CPU is on the way into it");
                space.handle.go(mm);
            }
        }
    }

    pub(crate) fn end(&mut self, call: MmCall, outcome: Outcome) {
        match call {
            MmCall::New { mm } => self.0[mm.index()].handle.arrive(outcome == Outcome::Done),
            MmCall::Switch { to: Root::Init } => {}
            MmCall::Switch { to: Root::Mm(mm) } => self.0[mm.index()].coming -= 1,
            MmCall::Drop { mm } => {
                self.0[mm.index()].handle = Handle::ABSENT;
                self.1 -= 1;
            }
        }
    }
}
