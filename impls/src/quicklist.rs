//! A cache of table pages that are known to have no alias (seed 004, after the quicklists of old): filled several pages at
//! a time by one drain for all, and with the tables that come back, which nobody could map while they were tables.
//!
//! A drain says something only about aliases that were unmapped before it began. A page that is got afterwards may have
//! been unmapped and freed meanwhile:
//!
//! ```text
//!   c0 fills the cache                    c1
//!   drain
//!                                         vunmap: the entry stays for the purge; the page is freed
//!   allocates that page, files it: clean
//!   it becomes a table: refused, or a table that an entry can write to
//! ```
//!
//! So all pages of a batch are owned before the drain for them starts. And whatever maps a cached page taints it: a table
//! above the direct map that comes back is mapped for a look (did its process leave entries?), and leaves an alias behind
//! like any other mapping. Such a page is drained for by itself.

use crate::family;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{Step, TableDrain};
use crate::sync::{LockClass, Lockdep, SpinLock};
use crate::vmalloc::purge::WouldSleep;
use machine::{Bus, Cpu};
use std::rc::Rc;

const QUICKLIST_LOCK: LockClass = LockClass { family: family::QUICKLIST_LOCK, name: "quicklist lock" };

/// The cache.
#[derive(Debug)]
pub struct Quicklist(SpinLock<Vec<Pfn>>);

impl Quicklist {
    /// It is empty.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        Self(SpinLock::new(bus, lockdep, QUICKLIST_LOCK, Vec::new()))
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Takes so many pages without aliases, or as many as there are. Where more are needed they are drained for in this
    /// way.
    pub(crate) fn take_clean_pages(
        &self,
        cpu: &Cpu<'_>,
        wanted: usize,
        into: &mut Vec<Pfn>,
        drain: impl Fn() -> Result<(), WouldSleep>,
    ) -> Result<(), WouldSleep> {
        let lacking = {
            let mut clean = self.quicklist.0.lock_irqsave(cpu);
            let rest = clean.len().saturating_sub(wanted);
            let taken = clean.len() - rest;
            into.extend(clean.drain(rest..));
            wanted - taken
        };
        if lacking > 0 {
            let mut batch = self.clean_batch(cpu, lacking.max(self.sizes.quicklist_batch()), drain)?;
            into.extend(batch.drain(..lacking.min(batch.len())));
            self.quicklist.0.lock_irqsave(cpu).extend(batch);
        }
        Ok(())
    }

    /// Allocates pages, as many as there are up to this number, and drains once for all.
    fn clean_batch(
        &self,
        cpu: &Cpu<'_>,
        pages: usize,
        drain: impl Fn() -> Result<(), WouldSleep>,
    ) -> Result<Vec<Pfn>, WouldSleep> {
        let owned_first = self.protocol.does(Step::OwnBeforeDrain);
        if !owned_first {
            drain()?;
        }
        let batch: Vec<_> = (0..pages).map_while(|_| self.pages.alloc(&self.pv, cpu)).collect();
        if owned_first && let Err(would_sleep) = drain() {
            for pfn in batch {
                self.pages.free(&self.pv, cpu, pfn);
            }
            return Err(would_sleep);
        }
        Ok(batch)
    }

    /// A caller's page is to become a table: it goes back, and a clean one stands in its place. Where none is to be had,
    /// the page itself is drained for.
    pub(crate) fn exchange_for_clean_page(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<Pfn, WouldSleep> {
        let mut clean = Vec::with_capacity(1);
        let drain = || self.vm_unmap_aliases(cpu);
        self.take_clean_pages(cpu, 1, &mut clean, drain)?;
        match clean.pop() {
            Some(clean) => {
                self.pages.free(&self.pv, cpu, pfn);
                Ok(clean)
            }
            None => self.drain_for_tables(cpu, &[pfn], drain).map(|()| pfn),
        }
    }

    /// A table of a process came back, and is an ordinary, zeroed page of its caller's. By this design it goes into the
    /// cache, and another page stands in its place, if there is one.
    pub(crate) fn keep_clean_page(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Pfn {
        if !self.table_drain_is(TableDrain::CleanCache) {
            return pfn;
        }
        let looked_at = self.is_high(pfn) && self.look_at(cpu, pfn);
        if looked_at && self.protocol.does(Step::DrainAfterLook) && self.vm_unmap_aliases(cpu).is_err() {
            return pfn;
        }
        let Some(other) = self.pages.alloc(&self.pv, cpu) else { return pfn };
        self.free_table_page(cpu, pfn);
        other
    }

    /// Maps a page for a look, and unmaps it. Returns whether it could.
    fn look_at(&self, cpu: &Cpu<'_>, pfn: Pfn) -> bool {
        let Ok(first) = self.vm_map_ram(cpu, &[pfn]) else { return false };
        if cpu.read(first << 12) != Ok(0) {
            cpu.bug("a table came back with an entry");
        }
        self.vm_unmap_ram(cpu, first, 1);
        true
    }

    /// Gives a page back that was a table until now, or was meant for one, and that nobody could map.
    pub(crate) fn free_table_page(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        if self.table_drain_is(TableDrain::CleanCache) {
            let mut clean = self.quicklist.0.lock_irqsave(cpu);
            if clean.len() < 2 * self.sizes.quicklist_batch() {
                clean.push(pfn);
                return;
            }
        }
        self.pages.free(&self.pv, cpu, pfn);
    }

    /// Gives back all that is kept for later.
    pub(crate) fn empty_quicklist(&self, cpu: &Cpu<'_>) {
        let clean = std::mem::take(&mut *self.quicklist.0.lock_irqsave(cpu));
        for pfn in clean {
            self.pages.free(&self.pv, cpu, pfn);
        }
    }
}
