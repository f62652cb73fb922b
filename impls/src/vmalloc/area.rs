//! Areas: runs of kernel address space, found first-fit and indexed by address.

use super::free_space::FreeSpace;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use machine::Cpu;

/// In the index of areas: a whole area of vmap, and not a block.
pub(super) const WHOLE: u32 = u32::MAX;

/// A page left unmapped behind each area, so that running off its end faults.
pub(super) const GUARD: u64 = 1;

impl<P: PvMmu> Kernel<P> {
    /// Finds address space, and enters it into the index (`alloc_vmap_area`). When no hole is large enough, purges what
    /// is freed lazily, once, and looks again; with interrupts off it cannot.
    pub(super) fn alloc_vmap_area(&self, cpu: &Cpu<'_>, pages: u64, align: u64, id: u32) -> Option<u64> {
        self.alloc_area(cpu, pages, id, |free| free.alloc(pages, align, self.vmalloc.reuse))
    }

    /// The same, wherever these find it.
    pub(super) fn alloc_area(
        &self,
        cpu: &Cpu<'_>,
        pages: u64,
        id: u32,
        find: impl Fn(&mut FreeSpace) -> Option<u64>,
    ) -> Option<u64> {
        let mut purged = false;
        let first = loop {
            let found = find(&mut self.vmalloc.free.lock(cpu));
            match found {
                Some(first) => break first,
                None if purged || !cpu.interrupts_on() => return None,
                None => {
                    self.reclaim_and_purge(cpu);
                    purged = true;
                }
            }
        };
        self.vmalloc.busy.lock(cpu).insert(first, pages, id);
        Some(first)
    }

    /// Gives an area back that was never mapped.
    pub(super) fn free_unmapped_area(&self, cpu: &Cpu<'_>, first: u64, pages: u64) {
        self.unlink_area(cpu, first);
        self.vmalloc.free.lock(cpu).free_within(first, pages);
    }

    /// Takes an area out of the index (`find_unlink_vmap_area`). Returns its length in pages, guard page included.
    pub(super) fn unlink_area(&self, cpu: &Cpu<'_>, first: u64) -> u64 {
        let mut busy = self.vmalloc.busy.lock(cpu);
        let Some((_, pages)) = busy.remove(first) else {
            cpu.bug("an area is freed that does not exist");
        };
        pages
    }
}
