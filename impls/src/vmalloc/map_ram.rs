//! `vm_map_ram` and `vm_unmap_ram`: short-lived mappings of a few pages, through the per-CPU blocks; larger ones get an
//! area of their own.

use super::area::WHOLE;
use super::purge::{Freed, LazyArea, Leaves};
use crate::kernel::Kernel;
use crate::kernel_tables::MapError;
use crate::paravirt::{PageRange, Pfn, PvMmu};
use crate::protocol::UnmapFlush;
use machine::Cpu;

impl<P: PvMmu> Kernel<P> {
    /// Maps a few pages. Returns the number of the first page.
    pub fn vm_map_ram(&self, cpu: &Cpu<'_>, pages: &[Pfn]) -> Result<u64, MapError> {
        let len = pages.len() as u64;
        let first =
            if self.in_block(len) { self.vb_alloc(cpu, len)? } else { self.alloc_ram_area(cpu, len)? };
        if let Err(error) = self.map_pages(cpu, first, pages) {
            self.vm_unmap_ram(cpu, first, len);
            return Err(error);
        }
        Ok(first)
    }

    /// Unmaps what [`Kernel::vm_map_ram`] mapped: the caller knows how many pages it was.
    pub fn vm_unmap_ram(&self, cpu: &Cpu<'_>, first: u64, pages: u64) {
        if self.in_block(pages) {
            self.vb_free(cpu, first, pages);
            return;
        }
        let pages = self.unlink_area(cpu, first);
        let area = LazyArea { first, pages, state: Freed::Mapped, leaves: Leaves::Small };
        self.free_area(cpu, area, pages);
    }

    /// Whether a mapping of so many pages takes slots of a block.
    fn in_block(&self, pages: u64) -> bool {
        self.protocol.designs.unmap_flush == UnmapFlush::Lazy && pages <= self.sizes.block_max_alloc()
    }

    fn alloc_ram_area(&self, cpu: &Cpu<'_>, pages: u64) -> Result<u64, MapError> {
        let first = self.alloc_vmap_area(cpu, pages, 1, WHOLE).ok_or(MapError::NoMemory)?;
        let area = PageRange { first, pages };
        if let Err(error) = self.populate(cpu, area) {
            self.free_unmapped_area(cpu, first, pages);
            return Err(error);
        }
        self.flush_on_map(cpu, area);
        Ok(first)
    }
}
