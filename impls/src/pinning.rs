//! Pages of callers become page tables, and come back.
//!
//! A page becomes a table here only after its aliases are gone, in the way of the design `table_drain`; what a drain is and when a
//! page has aliases is decided further down (`table_pages.rs`).

use crate::base::{DrainAliases, WouldSleep};
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu, Refused};
use crate::protocol::{Step, TableDrain};
use machine::Cpu;

/// Why a page did not become a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotPinned {
    /// A drain is needed, where the caller may not sleep.
    WouldSleep,
    /// The platform refused.
    Refused,
}

impl From<WouldSleep> for NotPinned {
    fn from(_: WouldSleep) -> Self {
        Self::WouldSleep
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Before one page of a caller's becomes a table: drains its aliases. What comes back stands in its place.
    pub(crate) fn table_page(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<Pfn, WouldSleep> {
        let drain: DrainAliases<'_> = &|| self.vm_unmap_aliases(cpu);
        if self.table_drain_is(TableDrain::CleanCache)
            && let Some(clean) = self.table_pages.alloc_clean(self, cpu, drain)?
        {
            self.free_page(cpu, pfn);
            return Ok(clean);
        }
        // Where no clean page is to be had, the page itself is drained for.
        self.table_pages.drain_for(self, cpu, &[pfn], drain).map(|()| pfn)
    }

    /// Has the platform make tables of pages. By the design that does not drain beforehand, its refusal is the news that
    /// an alias is left.
    pub(crate) fn pin_or_fix_up(
        &self,
        cpu: &Cpu<'_>,
        pin: impl Fn() -> Result<(), Refused>,
    ) -> Result<(), NotPinned> {
        match pin() {
            Err(Refused) if self.table_drain_is(TableDrain::FixUp) => {
                self.vm_unmap_aliases(cpu)?;
                pin().map_err(|Refused| NotPinned::Refused)
            }
            pinned => pinned.map_err(|Refused| NotPinned::Refused),
        }
    }

    /// A table of a process came back, and is an ordinary, zeroed page of its caller's. By the design with a cache it goes there,
    /// and another page stands in its place, if there is one.
    pub(crate) fn keep_clean_page(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Pfn {
        if !self.table_drain_is(TableDrain::CleanCache) {
            return pfn;
        }
        let looked_at = self.is_high(pfn) && self.look_at(cpu, pfn);
        if looked_at && self.protocol.does(Step::DrainAfterLook) && self.vm_unmap_aliases(cpu).is_err() {
            return pfn;
        }
        let Some(other) = self.alloc_page(cpu) else { return pfn };
        self.table_pages.free(self, cpu, pfn);
        other
    }

    /// Maps a page for a look, and unmaps it. Returns whether it could.
    fn look_at(&self, cpu: &Cpu<'_>, pfn: Pfn) -> bool {
        let Ok(first) = self.vm_map_ram(cpu, &[pfn]) else { return false };
        if cpu.read(first.address()) != Ok(0) {
            cpu.bug("a table came back with an entry");
        }
        self.vm_unmap_ram(cpu, first, 1);
        true
    }
}
