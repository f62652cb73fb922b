//! vmap and vunmap: whole areas, each with a guard page.

use super::area::{GUARD, WHOLE};
use super::lazy::{Freed, LazyArea, Leaves};
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;

impl<P: PvMmu> Kernel<P> {
    /// Maps pages side by side into kernel addresses. Returns the first page.
    pub fn vmap(&self, cpu: &Cpu<'_>, pages: &[Pfn]) -> Result<Vpn, MapError> {
        let first = self.get_vm_area(cpu, pages.len() as u64)?;
        if let Err(error) = self.map_pages(cpu, first, pages) {
            self.vunmap(cpu, first);
            return Err(error);
        }
        Ok(first)
    }

    /// Unmaps an area. Translations of it may linger until a drain, or until its range is about to be used again; unless
    /// the design flushes at once.
    pub fn vunmap(&self, cpu: &Cpu<'_>, first: Vpn) {
        let pages = self.vmalloc.space.unlink(cpu, first);
        let area = LazyArea { first, pages, state: Freed::Mapped, leaves: Leaves::Small };
        self.free_area(cpu, area, pages - GUARD);
    }

    /// Finds address space for these pages and a guard, and tables for it. Never waits with interrupts off.
    pub(crate) fn get_vm_area(&self, cpu: &Cpu<'_>, pages: u64) -> Result<Vpn, MapError> {
        self.get_area(cpu, pages + GUARD, 1, WHOLE)
    }

    /// Takes back the area of a buffer, whose first `mapped` pages are mapped. Their entries go at once, whatever the design:
    /// one that is left would be an alias. Its range is freed lazily, whatever the design: a flush cannot be waited for
    /// with interrupts off.
    pub(crate) fn free_dma_area(&self, cpu: &Cpu<'_>, first: Vpn, mapped: u64) {
        let pages = self.vmalloc.space.unlink(cpu, first);
        self.unmap_pages(cpu, PageRange { first, pages: mapped });
        let area = LazyArea { first, pages, state: Freed::Cleared, leaves: Leaves::Small };
        self.free_vmap_area_noflush(cpu, area);
    }
}
