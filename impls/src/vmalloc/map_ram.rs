//! `vm_map_ram` and `vm_unmap_ram`: short-lived mappings of a few pages, through the per-CPU blocks; larger ones get an
//! area of their own.

use super::area::WHOLE;
use super::lazy::{Freed, LazyArea, Leaves};
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::UnmapFlush;
use crate::table_pages::MapError;
use crate::vpn::Vpn;
use machine::Cpu;

impl<P: PvMmu> Kernel<P> {
    /// Maps a few pages. Returns the first page.
    pub fn vm_map_ram(&self, cpu: &Cpu<'_>, pages: &[Pfn]) -> Result<Vpn, MapError> {
        let len = pages.len() as u64;
        let first =
            if self.in_block(len) { self.vb_alloc(cpu, len)? } else { self.get_area(cpu, len, 1, WHOLE)? };
        if let Err(error) = self.map_pages(cpu, first, pages) {
            self.vm_unmap_ram(cpu, first, len);
            return Err(error);
        }
        Ok(first)
    }

    /// Unmaps what [`Kernel::vm_map_ram`] mapped: the caller knows how many pages it was.
    pub fn vm_unmap_ram(&self, cpu: &Cpu<'_>, first: Vpn, pages: u64) {
        if self.in_block(pages) {
            self.vb_free(cpu, first, pages);
            return;
        }
        let pages = self.vmalloc.space.unlink(cpu, first);
        let area = LazyArea { first, pages, state: Freed::Mapped, leaves: Leaves::Small };
        self.free_area(cpu, area, pages);
    }

    /// Whether a mapping of this length takes slots of a block.
    fn in_block(&self, pages: u64) -> bool {
        self.protocol.designs.unmap_flush == UnmapFlush::Lazy && pages <= self.sizes.block_max_alloc()
    }
}
