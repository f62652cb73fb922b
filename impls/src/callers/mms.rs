//! Callers make address spaces, load them and drop them.

use crate::callers::failed;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use machine::Cpu;
use oracle::vocabulary::{MmSlot, Outcome, Root};

impl<P: PvMmu> Kernel<P> {
    pub(super) fn make_mm(&self, cpu: &Cpu<'_>, mm: MmSlot) -> Outcome {
        match self.new_mm(cpu) {
            Ok(made) => {
                self.callers.mms[mm.index()].replace(Some(made));
                Outcome::Done
            }
            Err(error) => failed(error),
        }
    }

    pub(super) fn enter_mm(&self, cpu: &Cpu<'_>, to: Root) -> Option<Outcome> {
        let to = match to {
            Root::Init => None,
            Root::Mm(mm) => Some(self.callers.mms[mm.index()].borrow().clone()?),
        };
        self.switch_mm(cpu, to.as_ref());
        Some(Outcome::Done)
    }

    pub(super) fn leave_mm(&self, cpu: &Cpu<'_>, mm: MmSlot) -> Option<Outcome> {
        let mm = self.callers.mms[mm.index()].take()?;
        self.drop_mm(cpu, &mm);
        Some(Outcome::Done)
    }
}
