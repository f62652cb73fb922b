//! The ground floor of a kernel: the platform, what is done how, how large everything is, and pages to be had. What needs no
//! more than this and its own state takes a [`Base`] and knows nothing of the floors above.

use crate::page_alloc::PageAllocator;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{Protocol, TableDrain};
use crate::sizes::Sizes;
use machine::Cpu;
use std::rc::Rc;

/// What is asked for would have to sleep, where the caller may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WouldSleep;

/// A drain of aliases, as the floors that can drain hand it down to those that need one: afterwards no table leads to what was
/// unmapped before the call.
pub type DrainAliases<'a> = &'a dyn Fn() -> Result<(), WouldSleep>;

/// What every part of a kernel stands on.
#[derive(Debug)]
pub struct Base<P> {
    /// The platform.
    pub pv: P,
    /// The designs that are chosen, and the safety steps that are left out.
    pub protocol: Rc<Protocol>,
    /// How large everything is.
    pub sizes: Sizes,
    /// The pages that are free.
    pub(crate) pages: PageAllocator,
}

impl<P: PvMmu> Base<P> {
    /// Allocates a zeroed page, in any context.
    pub(crate) fn alloc_page(&self, cpu: &Cpu<'_>) -> Option<Pfn> {
        self.pages.alloc(&self.pv, cpu)
    }

    /// Gives a page back, in any context.
    pub(crate) fn free_page(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        self.pages.free(&self.pv, cpu, pfn);
    }

    /// Gives pages back, one after the other.
    pub(crate) fn free_pages(&self, cpu: &Cpu<'_>, pages: impl IntoIterator<Item = Pfn>) {
        pages.into_iter().for_each(|pfn| self.free_page(cpu, pfn));
    }

    /// Zeroes a page.
    pub(crate) fn clear_page(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.clear_frame(self.pv.frame_of(pfn));
    }

    /// Whether the kernel keeps aliases from page tables by this design.
    pub(crate) fn table_drain_is(&self, design: TableDrain) -> bool {
        P::TABLES_ALLOW_NO_ALIAS && self.protocol.designs.table_drain == design
    }

    /// Whether a page lies above the direct map: the kernel maps such a page when it wants to touch it.
    pub(crate) fn is_high(&self, pfn: Pfn) -> bool {
        pfn.0 >= self.sizes.first_high_frame()
    }
}
