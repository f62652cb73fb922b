//! Areas: runs of kernel address space, found first-fit, with tables for their entries.

use super::space::Place;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::Drain;
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;

/// In the index of areas: a whole area of vmap.
pub(super) const WHOLE: u32 = u32::MAX;

/// In the index of areas: a block.
pub(super) const OF_A_BLOCK: u32 = 0;

/// A page left unmapped behind each area, so that running off its end faults.
pub(super) const GUARD: u64 = 1;

impl<P: PvMmu> Kernel<P> {
    /// Finds address space, and enters it into the index (`alloc_vmap_area`). When no hole is large enough, purges what
    /// is freed lazily, once, and looks again; with interrupts off it cannot.
    pub(super) fn alloc_vmap_area(&self, cpu: &Cpu<'_>, pages: u64, place: Place, id: u32) -> Option<Vpn> {
        let space = &self.vmalloc.space;
        let mut purged = false;
        let first = loop {
            match space.take(cpu, pages, place) {
                Some(first) => break first,
                None if purged || !cpu.interrupts_on() => return None,
                None => {
                    self.reclaim_and_purge(cpu);
                    purged = true;
                }
            }
        };
        space.enter(cpu, first, pages, id);
        Some(first)
    }

    /// Finds address space for an area and tables for it, ready to be mapped. Never waits with interrupts off.
    pub(super) fn get_area(&self, cpu: &Cpu<'_>, pages: u64, align: u64, id: u32) -> Result<Vpn, MapError> {
        let first = self.alloc_vmap_area(cpu, pages, Place::Aligned(align), id).ok_or(MapError::NoMemory)?;
        let range = PageRange { first, pages };
        if let Err(error) = self.populate(cpu, range, &|| self.drain_for_kernel_tables(cpu)) {
            self.vmalloc.space.give_back_unmapped(cpu, first, pages);
            return Err(error);
        }
        self.flush_on_map(cpu, range);
        Ok(first)
    }

    /// Whether the CPU that maps a range has all others flush it.
    pub(crate) fn flushes_on_map(&self) -> bool {
        self.protocol.designs.drain == Drain::OnMapEverywhere
    }

    /// The design that flushes on map instead of on unmap: what the range was last used for is forgotten now.
    pub(super) fn flush_on_map(&self, cpu: &Cpu<'_>, range: PageRange) {
        match self.protocol.designs.drain {
            Drain::OnMapLocal => self.tlb.flush_local(self, cpu, FlushRequest::pages(range)),
            Drain::OnMapEverywhere => self.tlb.flush(self, cpu, FlushRequest::pages(range)),
            Drain::Flush | Drain::TablesOnly | Drain::Inhibit => {}
        }
    }
}
