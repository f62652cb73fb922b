//! Taking ranges back: the purge, which has every CPU forget what is on the lazy list and gives it back, and
//! `vm_unmap_aliases`.
//!
//! What a purge has taken from the list and not yet flushed is on no list. A drain that looks at the lists alone would
//! miss it:
//!
//! ```text
//!   c0 purge                      c1 vm_unmap_aliases             c2
//!   take the list
//!                                 the list is empty: return
//!                                 page becomes a table, or is     still uses its old
//!                                 given away                      translation
//!   flush everywhere
//! ```
//!
//! So the purge mutex is held over collecting *and* flushing, and a drain takes it; and `vmap_lazy_nr`, by which a drain
//! sees that nothing at all is outstanding, is counted down only after the flush (rule 5).

use super::block::DirtyBlocks;
use super::lazy::{Flushed, Freed, LazyArea};
use crate::base::WouldSleep;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::{Drain, IrqsOffDrain, PteClear, Step};
use machine::Cpu;

/// On whose behalf ranges are taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// The caller needs to know that no alias is left.
    Drain,
    /// The space is needed, or too much is outstanding.
    Reclaim,
}

impl<P: PvMmu> Kernel<P> {
    /// Takes back everything that was unmapped before the call: afterwards no alias of it is left in any table, nor in
    /// any TLB (`vm_unmap_aliases`).
    pub fn vm_unmap_aliases(&self, cpu: &Cpu<'_>) -> Result<(), WouldSleep> {
        let atomic = !cpu.interrupts_on();
        match self.protocol.designs.irqs_off_drain {
            IrqsOffDrain::WouldSleep if atomic => return Err(WouldSleep),
            IrqsOffDrain::TablesOnly if atomic => return self.clear_aliases(cpu),
            _ => {}
        }
        if self.nothing_outstanding(cpu) {
            return Ok(());
        }
        let purge = &self.vmalloc.purge;
        let _purging = if atomic {
            purge.try_lock(cpu).ok_or(WouldSleep)?
        } else if self.protocol.does(Step::DrainWaitsForPurge) {
            purge.lock(cpu)
        } else if let Some(purging) = purge.try_lock(cpu) {
            purging
        } else {
            return Ok(());
        };
        if self.protocol.designs.drain == Drain::TablesOnly {
            self.clear_outstanding(cpu);
            return Ok(());
        }
        let dirty = self.collect_dirty_blocks(cpu);
        self.purge_areas(cpu, &dirty, Purpose::Drain);
        Ok(())
    }

    /// The drain of those who are concerned with tables only, with interrupts on or off (seed 000): afterwards no table
    /// leads to what was unmapped before the call. TLBs may, until a flush, and so long its ranges stay reserved.
    ///
    /// Where vunmap clears the entries itself there is nothing to do. Else it takes the purge mutex, for what another CPU
    /// purges at this moment is on no list:
    ///
    /// ```text
    ///   c0 purge                      c1, interrupts off
    ///   take the list
    ///                                 the list is empty: return
    ///                                 offers a frame, which is still mapped: refused
    ///   clear the entries
    /// ```
    ///
    /// nor could it walk a list that the other left behind: the ranges on it may be free by then, and another area's.
    /// A caller with interrupts off cannot sleep on the mutex, and is told so.
    pub(crate) fn clear_aliases(&self, cpu: &Cpu<'_>) -> Result<(), WouldSleep> {
        if self.protocol.designs.pte_clear == PteClear::AtVunmap || self.nothing_outstanding(cpu) {
            return Ok(());
        }
        let purge = &self.vmalloc.purge;
        let _purging =
            if cpu.interrupts_on() { purge.lock(cpu) } else { purge.try_lock(cpu).ok_or(WouldSleep)? };
        self.clear_outstanding(cpu);
        Ok(())
    }

    /// With interrupts off it is enough to clear the entries for a page that is to be a table: what counts is that none leads to
    /// the page.
    pub(crate) fn drain_for_kernel_tables(&self, cpu: &Cpu<'_>) -> Result<(), WouldSleep> {
        if cpu.interrupts_on() { self.vm_unmap_aliases(cpu) } else { self.clear_aliases(cpu) }
    }

    /// Whether there is nothing to drain, at the cost of two loads.
    ///
    /// A block that is freed whole counts up `vmap_lazy_nr` before it counts down the dirty blocks, so those are read
    /// first:
    ///
    /// ```text
    ///   c0 frees a dirty block        c1 reads in the other order
    ///                                 lazy_pages: 0
    ///   lazy_pages += 4
    ///   dirty_blocks -= 1
    ///                                 dirty_blocks: 0, so nothing is outstanding: wrong
    /// ```
    fn nothing_outstanding(&self, cpu: &Cpu<'_>) -> bool {
        cpu.load(self.vmalloc.blocks.dirty_blocks()) == 0 && cpu.load(self.vmalloc.lazy.pages) == 0
    }

    /// Gives back what is outstanding and the blocks that are used up, to make room (`reclaim_and_purge_vmap_areas`).
    pub(super) fn reclaim_and_purge(&self, cpu: &Cpu<'_>) {
        let _purging = self.vmalloc.purge.lock(cpu);
        self.purge_fragmented_blocks(cpu);
        self.purge_areas(cpu, &DirtyBlocks::NONE, Purpose::Reclaim);
    }

    /// Nothing is in use any more: gives back all that is kept for later.
    pub(crate) fn purge_everything(&self, cpu: &Cpu<'_>) {
        let _purging = self.vmalloc.purge.lock(cpu);
        self.purge_fragmented_blocks(cpu);
        let dirty = self.collect_dirty_blocks(cpu);
        self.purge_areas(cpu, &dirty, Purpose::Reclaim);
    }

    /// What the worker does (`drain_vmap_area_work`): too much was outstanding.
    ///
    /// It looks whether that is still so. A CPU that unmaps while it flushes finds the old count and queues it again, and
    /// without a look each flush would be followed by one for next to nothing. No request is lost: the worker takes its
    /// item before it looks, and the CPU that queues it has counted up before.
    pub(crate) fn purge_work(&self, cpu: &Cpu<'_>) {
        if cpu.load(self.vmalloc.lazy.pages) <= self.sizes.lazy_max_pages(cpu.bus().cpus()) {
            return;
        }
        let _purging = self.vmalloc.purge.lock(cpu);
        self.purge_areas(cpu, &DirtyBlocks::NONE, Purpose::Reclaim);
    }

    /// Takes the lazy list, makes every CPU forget it and the dirty slots, and gives its ranges back
    /// (`__purge_vmap_area_lazy`). The purge mutex is held.
    fn purge_areas(&self, cpu: &Cpu<'_>, dirty: &DirtyBlocks, purpose: Purpose) {
        let mut areas = std::mem::take(&mut *self.vmalloc.lazy.areas.lock(cpu));
        let mut hull = dirty.hull;
        for area in &areas {
            hull.add(area.to_flush().range);
        }
        let Some(range) = hull.range() else { return };
        self.clear_areas(cpu, &mut areas);
        let pages = areas.iter().map(LazyArea::outstanding).sum();
        self.protocol.in_order(
            Step::CountAfterFlush,
            || {
                let flushed = self.flush_purged(cpu, areas, FlushRequest::pages(range), purpose);
                self.hand_back(cpu, &flushed);
            },
            || self.count_down(cpu, pages, dirty.blocks),
        );
    }

    /// From `Mapped` to `Cleared`.
    fn clear_areas(&self, cpu: &Cpu<'_>, areas: &mut [LazyArea]) {
        for area in areas.iter_mut().filter(|area| area.state == Freed::Mapped) {
            self.unmap_area(cpu, area, area.pages);
            area.state = Freed::Cleared;
        }
    }

    fn count_down(&self, cpu: &Cpu<'_>, pages: u64, dirty_blocks: u64) {
        if pages != 0 {
            cpu.fetch_sub(self.vmalloc.lazy.pages, pages);
        }
        if dirty_blocks != 0 {
            cpu.fetch_sub(self.vmalloc.blocks.dirty_blocks(), dirty_blocks);
        }
    }

    /// From `Cleared` to `Flushed`, by the flush that the design has here; some have none, or not everywhere.
    fn flush_purged(
        &self,
        cpu: &Cpu<'_>,
        areas: Vec<LazyArea>,
        request: FlushRequest,
        purpose: Purpose,
    ) -> Flushed {
        let designs = &self.protocol.designs;
        match designs.drain {
            Drain::Inhibit if purpose == Purpose::Drain => {
                cpu.note("the caller inhibits the flush of pages", request.range.pages);
            }
            Drain::OnMapLocal | Drain::OnMapEverywhere => {}
            _ if !cpu.interrupts_on() && designs.irqs_off_drain == IrqsOffDrain::FlushLocal => {
                self.tlb.flush_local(self, cpu, request);
            }
            Drain::Flush | Drain::TablesOnly | Drain::Inhibit => {
                return self.flush_cleared(cpu, areas, request);
            }
        }
        Flushed::by_design(areas)
    }

    /// The drain that is concerned with tables only (seed 000): what is outstanding stays so, and keeps its range, until a
    /// later flush; but no table leads to it any more.
    fn clear_outstanding(&self, cpu: &Cpu<'_>) {
        if self.protocol.designs.pte_clear == PteClear::AtVunmap {
            return;
        }
        self.clear_dirty_slots(cpu);
        let mapped = |area: &&LazyArea| area.state == Freed::Mapped;
        let mut areas: Vec<_> = self.vmalloc.lazy.areas.lock(cpu).iter().filter(mapped).copied().collect();
        if areas.is_empty() {
            return;
        }
        self.clear_areas(cpu, &mut areas);
        // The purge mutex is held: the list has only grown, and no range is on it twice.
        let mut lazy = self.vmalloc.lazy.areas.lock(cpu);
        for area in lazy.iter_mut() {
            if areas.iter().any(|cleared| cleared.first == area.first) {
                area.state = Freed::Cleared;
            }
        }
    }
}
