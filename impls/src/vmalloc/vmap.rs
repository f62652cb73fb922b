//! vmap and vunmap: whole areas, each with a guard page.

use super::area::{GUARD, WHOLE};
use super::purge::{Freed, LazyArea, Leaves};
use crate::kernel::Kernel;
use crate::kernel_tables::MapError;
use crate::paravirt::{PageRange, Pfn, PvMmu};
use crate::protocol::{Drain, PteClear, UnmapFlush};
use machine::Cpu;

impl<P: PvMmu> Kernel<P> {
    /// Maps pages side by side into kernel addresses. Returns the number of the first page.
    pub fn vmap(&self, cpu: &Cpu<'_>, pages: &[Pfn]) -> Result<u64, MapError> {
        let first = self.get_vm_area(cpu, pages.len() as u64)?;
        if let Err(error) = self.map_pages(cpu, first, pages) {
            self.vunmap(cpu, first);
            return Err(error);
        }
        Ok(first)
    }

    /// Unmaps an area. Translations of it may linger until a drain, or until its range is about to be used again; unless
    /// the design flushes at once.
    pub fn vunmap(&self, cpu: &Cpu<'_>, first: u64) {
        let pages = self.unlink_area(cpu, first);
        let area = LazyArea { first, pages, state: Freed::Mapped, leaves: Leaves::Small };
        self.free_area(cpu, area, pages - GUARD);
    }

    /// Takes an area back that is in the index no more, and of which so many pages are mapped.
    pub(super) fn free_area(&self, cpu: &Cpu<'_>, mut area: LazyArea, mapped: u64) {
        let eager = self.protocol.designs.unmap_flush == UnmapFlush::Eager;
        if eager || self.protocol.designs.pte_clear == PteClear::AtVunmap {
            self.unmap_area(cpu, &area, mapped);
            area.state = Freed::Cleared;
        }
        if eager {
            self.free_vmap_area_flush(cpu, area);
        } else {
            self.free_vmap_area_noflush(cpu, area);
        }
    }

    /// Finds address space for so many pages and a guard, and tables for it. Never waits with interrupts off.
    pub(crate) fn get_vm_area(&self, cpu: &Cpu<'_>, pages: u64) -> Result<u64, MapError> {
        let len = pages + GUARD;
        let first = self.alloc_vmap_area(cpu, len, 1, WHOLE).ok_or(MapError::NoMemory)?;
        let area = PageRange { first, pages: len };
        if let Err(error) = self.populate(cpu, area) {
            self.free_unmapped_area(cpu, first, len);
            return Err(error);
        }
        self.flush_on_map(cpu, area);
        Ok(first)
    }

    /// Takes back the area of a buffer, of which so many pages are mapped. Their entries go at once, whatever the design:
    /// one that is left would be an alias. Its range is freed lazily, whatever the design: a flush cannot be waited for
    /// with interrupts off.
    pub(crate) fn free_dma_area(&self, cpu: &Cpu<'_>, first: u64, mapped: u64) {
        let pages = self.unlink_area(cpu, first);
        self.unmap_pages(cpu, PageRange { first, pages: mapped });
        let area = LazyArea { first, pages, state: Freed::Cleared, leaves: Leaves::Small };
        self.free_vmap_area_noflush(cpu, area);
    }

    /// Whether whoever maps a range has all CPUs flush it.
    pub(crate) fn flushes_on_map(&self) -> bool {
        self.protocol.designs.drain == Drain::OnMapEverywhere
    }

    /// The design that flushes on map instead of on unmap: what the range was last used for is forgotten now.
    pub(super) fn flush_on_map(&self, cpu: &Cpu<'_>, range: PageRange) {
        match self.protocol.designs.drain {
            Drain::OnMapLocal => {
                self.flush_tlb_local(cpu, range, range.pages > self.sizes.flush_ceiling());
            }
            Drain::OnMapEverywhere => self.flush_tlb_kernel_range(cpu, range),
            Drain::Flush | Drain::TablesOnly | Drain::Inhibit => {}
        }
    }
}
