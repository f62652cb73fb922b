//! Taking ranges back: the lazy list, the purge that flushes and gives them back, and `vm_unmap_aliases`.
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

use crate::kernel::Kernel;
use crate::paravirt::{PageRange, PvMmu};
use crate::protocol::{Drain, IrqsOffDrain, PteClear, Step};
use crate::sync::Work;
use machine::Cpu;

/// How far an unmapped range has come. The third state is a type of its own, `Flushed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freed {
    /// Its entries are still there.
    Mapped,
    /// No table leads to its pages any more, but some CPU may still have translations of it.
    Cleared,
}

/// By what an area was mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    /// An entry for each page.
    Small,
    /// One large entry for all.
    Large,
}

/// An area that was unmapped, and that some CPU may still have translations of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LazyArea {
    /// Number of its first page.
    pub first: u64,
    /// Its length, guard page included.
    pub pages: u64,
    /// How far it has come.
    pub state: Freed,
    /// By what it was mapped.
    pub leaves: Leaves,
}

/// Areas that no CPU has translations of: these alone may be handed out again. A flush makes them; so do the designs
/// that take it for unnecessary, or put it off to the next use, and nothing else can.
#[derive(Debug)]
struct Flushed(Vec<LazyArea>);

impl LazyArea {
    fn range(&self) -> PageRange {
        PageRange { first: self.first, pages: self.pages }
    }

    /// What has to be flushed of it: one address of a large translation is enough.
    fn flushed(&self) -> PageRange {
        match self.leaves {
            Leaves::Small => self.range(),
            Leaves::Large => PageRange { first: self.first, pages: 1 },
        }
    }

    /// For how much it counts while it is not flushed.
    fn outstanding(&self) -> u64 {
        self.flushed().pages
    }
}

/// The smallest run of pages around all that was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hull {
    start: u64,
    end: u64,
}

impl Hull {
    pub(super) const EMPTY: Self = Self { start: u64::MAX, end: 0 };

    pub(super) fn add(&mut self, first: u64, pages: u64) {
        self.start = self.start.min(first);
        self.end = self.end.max(first + pages);
    }

    fn range(&self) -> Option<PageRange> {
        (self.start < self.end).then(|| PageRange { first: self.start, pages: self.end - self.start })
    }
}

/// A drain was asked for where it would have to sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WouldSleep;

/// On whose behalf ranges are taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// Somebody needs to know that no alias is left.
    Drain,
    /// The space is needed, or too much is outstanding.
    Reclaim,
}

/// What a drain found in the blocks.
#[derive(Debug)]
pub(super) struct DirtyBlocks {
    /// All their dirty slots.
    pub(super) hull: Hull,
    /// How many blocks stop counting as dirty, once flushed.
    pub(super) blocks: u64,
}

impl<P: PvMmu> Kernel<P> {
    /// Where a range stands when vunmap is done with it, as the design has it.
    pub(super) fn freed(&self) -> Freed {
        match self.protocol.designs.pte_clear {
            PteClear::AtVunmap => Freed::Cleared,
            PteClear::AtPurge => Freed::Mapped,
        }
    }

    /// Puts an unmapped area on the lazy list (`free_vmap_area_noflush`); beyond the threshold, has it purged.
    pub(super) fn free_vmap_area_noflush(&self, cpu: &Cpu<'_>, area: LazyArea) {
        let outstanding = cpu.fetch_add(self.vmalloc.lazy_pages, area.outstanding()) + area.outstanding();
        self.vmalloc.lazy.lock(cpu).push(area);
        if outstanding > self.sizes.lazy_max_pages(cpu.bus().cpus()) {
            self.work.schedule(cpu, Work::PurgeAreas);
        }
    }

    /// Makes every CPU forget an unmapped area, and gives its range back: the way before the rewrite. The flush stands
    /// before the range is free, as in a purge:
    ///
    /// ```text
    ///   c0, in the other order        c1                              c2
    ///   clear the entries
    ///   give the range back
    ///                                 vmap gets the range, maps it
    ///                                                                 uses its old translation of it
    ///   flush everywhere
    /// ```
    ///
    /// which breaks rule 4. Every unmap pays for its own flush, on all CPUs.
    pub(super) fn free_vmap_area_flush(&self, cpu: &Cpu<'_>, area: LazyArea) {
        let flushed = self.flush_cleared(cpu, vec![area], area.flushed());
        self.hand_back(cpu, &flushed);
    }

    /// From `Cleared` to `Flushed`, everywhere. Tables that are used no more go with it: they are unhooked before and freed
    /// after.
    fn flush_cleared(&self, cpu: &Cpu<'_>, areas: Vec<LazyArea>, range: PageRange) -> Flushed {
        let unhooked = self.unhook_unused(
            cpu,
            areas.iter().filter(|area| area.leaves == Leaves::Small).map(LazyArea::range),
        );
        self.flush_tlb_kernel_range(cpu, range);
        if let Some(unhooked) = unhooked {
            self.free_unhooked(cpu, unhooked);
        }
        Flushed(areas)
    }

    /// These ranges may be handed out again.
    fn hand_back(&self, cpu: &Cpu<'_>, flushed: &Flushed) {
        let mut free = self.vmalloc.free.lock(cpu);
        for area in &flushed.0 {
            free.free_within(area.first, area.pages);
        }
    }

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
    /// Where vunmap clears the entries itself there is nothing to do. Else it takes the purge mutex, for what somebody
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
    /// nor could it walk a list that the other left behind: the ranges on it may be free by then, and somebody else's.
    /// Whoever has interrupts off cannot sleep on the mutex, and is told so.
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
        cpu.load(self.vmalloc.blocks.dirty_blocks()) == 0 && cpu.load(self.vmalloc.lazy_pages) == 0
    }

    /// Gives back what is outstanding and the blocks that are used up, to make room (`reclaim_and_purge_vmap_areas`).
    pub(super) fn reclaim_and_purge(&self, cpu: &Cpu<'_>) {
        let _purging = self.vmalloc.purge.lock(cpu);
        self.purge_fragmented_blocks(cpu);
        let nothing = DirtyBlocks { hull: Hull::EMPTY, blocks: 0 };
        self.purge_areas(cpu, &nothing, Purpose::Reclaim);
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
    /// It looks whether that is still so. Whoever unmaps while it flushes finds the old count and queues it again, and
    /// without a look each flush would be followed by one for next to nothing. No request is lost: the worker takes its
    /// item before it looks, and who queues it has counted up before.
    pub(crate) fn purge_work(&self, cpu: &Cpu<'_>) {
        if cpu.load(self.vmalloc.lazy_pages) <= self.sizes.lazy_max_pages(cpu.bus().cpus()) {
            return;
        }
        let _purging = self.vmalloc.purge.lock(cpu);
        let nothing = DirtyBlocks { hull: Hull::EMPTY, blocks: 0 };
        self.purge_areas(cpu, &nothing, Purpose::Reclaim);
    }

    /// Takes the lazy list, makes every CPU forget it and the dirty slots, and gives its ranges back
    /// (`__purge_vmap_area_lazy`). The purge mutex is held.
    fn purge_areas(&self, cpu: &Cpu<'_>, dirty: &DirtyBlocks, purpose: Purpose) {
        let mut areas = std::mem::take(&mut *self.vmalloc.lazy.lock(cpu));
        let mut hull = dirty.hull;
        for area in &areas {
            let PageRange { first, pages } = area.flushed();
            hull.add(first, pages);
        }
        let Some(range) = hull.range() else { return };
        self.clear_areas(cpu, &mut areas);
        let counted = self.protocol.does(Step::CountAfterFlush);
        if !counted {
            self.count_down(cpu, &areas, dirty);
        }
        let flushed = self.flush_purged(cpu, areas, range, purpose);
        self.hand_back(cpu, &flushed);
        if counted {
            self.count_down(cpu, &flushed.0, dirty);
        }
    }

    /// From `Mapped` to `Cleared`.
    fn clear_areas(&self, cpu: &Cpu<'_>, areas: &mut [LazyArea]) {
        for area in areas.iter_mut().filter(|area| area.state == Freed::Mapped) {
            self.unmap_area(cpu, area, area.pages);
            area.state = Freed::Cleared;
        }
    }

    /// Clears the entries of an area of which so many pages were mapped, and flushes nothing.
    pub(super) fn unmap_area(&self, cpu: &Cpu<'_>, area: &LazyArea, mapped: u64) {
        match area.leaves {
            Leaves::Small => self.unmap_pages(cpu, PageRange { first: area.first, pages: mapped }),
            Leaves::Large => self.unmap_large(cpu, area.first),
        }
    }

    fn count_down(&self, cpu: &Cpu<'_>, areas: &[LazyArea], dirty: &DirtyBlocks) {
        let pages = areas.iter().map(LazyArea::outstanding).sum::<u64>();
        if pages != 0 {
            cpu.fetch_sub(self.vmalloc.lazy_pages, pages);
        }
        if dirty.blocks != 0 {
            cpu.fetch_sub(self.vmalloc.blocks.dirty_blocks(), dirty.blocks);
        }
    }

    /// From `Cleared` to `Flushed`, by the flush that the design has here; some have none, or not everywhere.
    fn flush_purged(
        &self,
        cpu: &Cpu<'_>,
        areas: Vec<LazyArea>,
        range: PageRange,
        purpose: Purpose,
    ) -> Flushed {
        let designs = &self.protocol.designs;
        match designs.drain {
            Drain::Inhibit if purpose == Purpose::Drain => {
                cpu.note("the caller inhibits the flush of pages", range.pages);
            }
            Drain::OnMapLocal | Drain::OnMapEverywhere => {}
            _ if !cpu.interrupts_on() && designs.irqs_off_drain == IrqsOffDrain::FlushLocal => {
                self.flush_tlb_local(cpu, range, range.pages > self.sizes.flush_ceiling());
            }
            Drain::Flush | Drain::TablesOnly | Drain::Inhibit => {
                return self.flush_cleared(cpu, areas, range);
            }
        }
        Flushed(areas)
    }

    /// The drain that is concerned with tables only (seed 000): what is outstanding stays so, and keeps its range, until a
    /// later flush; but no table leads to it any more.
    fn clear_outstanding(&self, cpu: &Cpu<'_>) {
        if self.protocol.designs.pte_clear == PteClear::AtVunmap {
            return;
        }
        self.clear_dirty_slots(cpu);
        let mapped = |area: &&LazyArea| area.state == Freed::Mapped;
        let mut areas: Vec<_> = self.vmalloc.lazy.lock(cpu).iter().filter(mapped).copied().collect();
        if areas.is_empty() {
            return;
        }
        self.clear_areas(cpu, &mut areas);
        // The purge mutex is held: the list has only grown, and no range is on it twice.
        let mut lazy = self.vmalloc.lazy.lock(cpu);
        for area in lazy.iter_mut() {
            if areas.iter().any(|cleared| cleared.first == area.first) {
                area.state = Freed::Cleared;
            }
        }
    }
}
