//! Callers allocate pages and give them back.

use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::Step;
use machine::Cpu;
use oracle::vocabulary::{Outcome, PageSlot};

use super::HeldPage;

impl<P: PvMmu> Kernel<P> {
    pub(super) fn get_page(&self, cpu: &Cpu<'_>, page: PageSlot) -> Outcome {
        match self.alloc_page(cpu) {
            Some(pfn) => {
                self.callers.pages[page.index()].set(Some(HeldPage { pfn, table: false }));
                Outcome::Done
            }
            None => Outcome::NoMemory,
        }
    }

    pub(super) fn drop_page(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let held = self.callers.pages[page.index()].take()?;
        if self.protocol.does(Step::Canary) {
            self.free_page(cpu, held.pfn);
        }
        Some(Outcome::Done)
    }

    /// Gives back the page in a slot, if there is one.
    pub(super) fn give_back_page(&self, cpu: &Cpu<'_>, page: PageSlot) {
        if let Some(held) = self.callers.pages[page.index()].take() {
            self.free_page(cpu, held.pfn);
        }
    }
}
