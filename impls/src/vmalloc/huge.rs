//! `vmalloc_huge`: an area whose pages come as one large page where that can be had, and singly where it cannot.
//!
//! A large page is mapped by one entry, and is more than was asked for: the rest of it lies behind the area, where others
//! have a guard page. It is unmapped lazily like any other area; one address is flushed for all of it, since a translation of
//! 2 MiB goes as a whole.

use super::area::{GUARD, WHOLE};
use super::space::Place;
use super::vm_struct::VmStruct;
use crate::kernel::Kernel;
use crate::kernel_tables::large::LARGE;
use crate::paravirt::PvMmu;
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;

impl<P: PvMmu> Kernel<P> {
    /// Allocates memory of `count` pages and maps it, readable and writable, by one large entry if it can. Returns the
    /// first page.
    pub fn vmalloc_huge(&self, cpu: &Cpu<'_>, count: u8) -> Result<Vpn, MapError> {
        if P::LARGE_LEAVES
            && let Some(first) = self.try_vmalloc_large(cpu, count)
        {
            return Ok(first);
        }
        self.vmalloc(cpu, count)
    }

    /// `None` where there is no large page, no room for it, or no way to map it.
    fn try_vmalloc_large(&self, cpu: &Cpu<'_>, count: u8) -> Option<Vpn> {
        let pfn = self.direct.free_large.alloc(&self.pv, cpu)?;
        let (pages, place) = match self.sizes.large_run() {
            Some(first) => (LARGE, Place::At(first)),
            None => (LARGE + GUARD, Place::Aligned(LARGE)),
        };
        let found = self.alloc_vmap_area(cpu, pages, place, WHOLE);
        let Some(first) = found else {
            self.direct.free_large.free(&self.pv, cpu, pfn);
            return None;
        };
        self.flush_on_map(cpu, PageRange { first, pages });
        if !self.map_large(cpu, first, pfn, &|| self.drain_for_kernel_tables(cpu)) {
            self.vmalloc.space.give_back_unmapped(cpu, first, pages);
            self.direct.free_large.free(&self.pv, cpu, pfn);
            return None;
        }
        self.vmalloc.owners.borrow_mut().insert(first, VmStruct::of_large(pfn, count));
        Some(first)
    }
}
