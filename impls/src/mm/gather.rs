//! Taking pages and tables away from an address space (`mmu_gather`): what is unhooked waits until every CPU has forgotten it.
//!
//! The order is unhook, invalidate, free; for tables as well as for pages. Of tables the walk caches must forget the way too, and
//! a walker in software may be in the middle of one: it holds no lock, and has interrupts off.
//!
//! ```text
//!   c0 gup-fast, interrupts off           c1 munmap
//!   loads the upper entry: the table
//!                                         clears it
//!                                         flushes; c0's caches have forgotten the table
//!                                         frees the table: another user's page by now
//!   loads an entry of what was the table
//! ```
//!
//! A flush by interrupts waits for c0, since c0 answers only when its interrupts are on again. A flush by the hypervisor does not
//! (seed 001). So a table is freed after a grace period, for which c0 counts as a reader.

use super::Mm;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{Step, TableFree, WalkerWait};
use crate::vmalloc::block::RcuCallback;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;
use std::mem;

/// A page or a table that waits for the flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gathered {
    /// A page, with the reference that its entry held.
    Page(Pfn),
    /// A table that is freed as a page is.
    Table(Pfn),
}

/// What is being taken away from one address space.
#[derive(Debug)]
pub(super) struct MmuGather<'m> {
    pub(super) mm: &'m Mm,
    /// The addresses to be flushed: from the first page to the one behind the last, if there are any.
    flush: Option<(Vpn, Vpn)>,
    pages: Vec<Gathered>,
    tables: Vec<Pfn>,
}

impl<'m> MmuGather<'m> {
    /// Nothing is taken away yet (`tlb_gather_mmu`).
    pub(super) const fn new(mm: &'m Mm) -> Self {
        Self { mm, flush: None, pages: Vec::new(), tables: Vec::new() }
    }

    /// Translations of these pages are to be forgotten.
    pub(super) fn flush_range(&mut self, range: PageRange) {
        let (first, end) = (range.first, range.first + range.pages);
        self.flush = Some(match self.flush {
            Some((from, to)) => (from.min(first), to.max(end)),
            None => (first, end),
        });
    }
}

impl<P: PvMmu> Kernel<P> {
    /// An entry that led to a page is cleared (`tlb_remove_page`). Returns whether the batch is full: the caller lets its locks go
    /// then and flushes.
    pub(super) fn tlb_remove_page(&self, gather: &mut MmuGather<'_>, va: Vpn, pfn: Pfn) -> bool {
        gather.flush_range(PageRange { first: va, pages: 1 });
        gather.pages.push(Gathered::Page(pfn));
        gather.pages.len() >= self.sizes.gather_pages()
    }

    /// By which way tables are freed on this platform.
    fn table_free(&self) -> TableFree {
        match self.protocol.designs.table_free {
            // The paravirt hook of seed 001.
            TableFree::Hook if P::FLUSHES_BY_INTERRUPT => TableFree::WithPages,
            TableFree::Hook => TableFree::RcuBatch,
            chosen => chosen,
        }
    }

    /// Whether a grace period passes between the last way to a table and its new use.
    pub(super) fn frees_tables_after_grace_period(&self) -> bool {
        match self.table_free() {
            TableFree::RcuBatch | TableFree::Hook | TableFree::OneDeferred | TableFree::RcuNoInvalidate => {
                true
            }
            TableFree::SyncThenFree => self.protocol.designs.walker_wait == WalkerWait::SyncRcu,
            TableFree::WithPages | TableFree::ConfiguredUnused | TableFree::AtOnce => false,
        }
    }

    /// An entry that led to a table is cleared; the table maps pages from this one on (`pte_free_tlb` and upwards). By which way it
    /// is freed is the design point `table_free`.
    pub(super) fn tlb_remove_table(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>, va: Vpn, table: Pfn) {
        let design = self.table_free();
        gather.flush_range(PageRange { first: va, pages: 1 });
        match design {
            TableFree::WithPages | TableFree::ConfiguredUnused => {
                gather.pages.push(Gathered::Table(table));
                if gather.pages.len() >= self.sizes.gather_pages() {
                    self.tlb_flush_mmu(cpu, gather);
                }
            }
            TableFree::AtOnce => self.free_page(cpu, table),
            TableFree::RcuBatch | TableFree::RcuNoInvalidate | TableFree::Hook => {
                gather.tables.push(table);
                if gather.tables.len() >= self.sizes.gather_tables() {
                    self.tlb_table_flush(cpu, gather);
                }
            }
            TableFree::OneDeferred => {
                self.tlb_flush_mmu_tlbonly(cpu, gather);
                self.rcu.call(RcuCallback::Tables(vec![table]));
            }
            TableFree::SyncThenFree => {
                self.tlb_flush_mmu_tlbonly(cpu, gather);
                self.wait_for_walkers(cpu);
                self.free_page(cpu, table);
            }
        }
    }

    /// Waits until no walker in software is where it was (`tlb_remove_table_sync_one`), in the way of the design `walker_wait`.
    fn wait_for_walkers(&self, cpu: &Cpu<'_>) {
        match self.protocol.designs.walker_wait {
            WalkerWait::SyncRcu => self.rcu.synchronize(cpu),
            WalkerWait::SyncIpi => self.interrupt_all(cpu),
            WalkerWait::Implied | WalkerWait::None => {}
        }
    }

    /// The batch of tables is full: it goes to a grace period, which keeps walkers in software away, and not those in hardware
    /// (`tlb_table_flush`).
    ///
    /// ```text
    ///   c0 munmap, without the flush          c1, in user mode
    ///                                         its walk cache holds the way to the table
    ///   clears the upper entry
    ///   the batch is full: to RCU
    ///   (a grace period passes; the table is another user's page)
    ///                                         walks on from its cache, through that page
    ///   flushes, at the end
    /// ```
    fn tlb_table_flush(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>) {
        if self.protocol.designs.table_free != TableFree::RcuNoInvalidate
            && self.protocol.does(Step::InvalidateBeforeFullBatch)
        {
            self.tlb_flush_mmu_tlbonly(cpu, gather);
        }
        self.hand_over_tables(gather);
    }

    /// The tables gathered so far wait for a grace period (`tlb_remove_table_free`).
    fn hand_over_tables(&self, gather: &mut MmuGather<'_>) {
        if !gather.tables.is_empty() {
            self.rcu.call(RcuCallback::Tables(mem::take(&mut gather.tables)));
        }
    }

    /// Has every CPU forget what was unhooked so far (`tlb_flush_mmu_tlbonly`).
    fn tlb_flush_mmu_tlbonly(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>) {
        if let Some((first, end)) = gather.flush.take() {
            self.flush_tlb_mm_range(cpu, gather.mm, PageRange { first, pages: end - first });
        }
    }

    /// Has every CPU forget what was unhooked so far, and frees it (`tlb_flush_mmu`). No spinlock is held.
    pub(super) fn tlb_flush_mmu(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>) {
        if self.protocol.designs.table_free == TableFree::RcuNoInvalidate {
            self.hand_over_tables(gather);
        }
        self.tlb_flush_mmu_tlbonly(cpu, gather);
        self.hand_over_tables(gather);
        for gathered in mem::take(&mut gather.pages) {
            match gathered {
                Gathered::Page(pfn) => self.counts.put(self, cpu, pfn),
                Gathered::Table(pfn) => self.free_page(cpu, pfn),
            }
        }
    }

    /// All of it is forgotten and freed (`tlb_finish_mmu`).
    pub(super) fn tlb_finish_mmu(&self, cpu: &Cpu<'_>, mut gather: MmuGather<'_>) {
        self.tlb_flush_mmu(cpu, &mut gather);
    }
}
