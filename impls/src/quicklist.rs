//! A cache of table pages that are known to have no alias (seed 004, after the quicklists of old): filled several pages at
//! a time by one drain for all, and with the tables that come back, which no caller could map while they were tables.
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
//! So all pages of a batch are owned before the drain for them starts. And a mapping of a cached page taints it: a table
//! above the direct map that comes back is mapped for a look (did its process leave entries?), and that leaves an alias
//! behind like any other mapping. Such a page is drained for by itself (`pinning.rs`).

use crate::base::{Base, DrainAliases, WouldSleep};
use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{Step, TableDrain};
use crate::sync::{LockClass, Lockdep, SpinLock};
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

    /// Takes the wanted number of pages without aliases, or as many as there are. Where the cache has too few, others are drained
    /// for in this way.
    pub(crate) fn take<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        wanted: usize,
        into: &mut Vec<Pfn>,
        drain: DrainAliases<'_>,
    ) -> Result<(), WouldSleep> {
        let lacking = {
            let mut clean = self.0.lock_irqsave(cpu);
            let rest = clean.len().saturating_sub(wanted);
            let taken = clean.len() - rest;
            into.extend(clean.drain(rest..));
            wanted - taken
        };
        if lacking > 0 {
            let mut batch = clean_batch(base, cpu, lacking.max(base.sizes.quicklist_batch()), drain)?;
            into.extend(batch.drain(..lacking.min(batch.len())));
            self.0.lock_irqsave(cpu).extend(batch);
        }
        Ok(())
    }

    /// Gives a page back that was a table until now, or was meant for one, and that no caller could map: into the cache, if the
    /// design has one and there is room.
    pub(crate) fn free<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) {
        if base.table_drain_is(TableDrain::CleanCache) {
            let mut clean = self.0.lock_irqsave(cpu);
            if clean.len() < 2 * base.sizes.quicklist_batch() {
                clean.push(pfn);
                return;
            }
        }
        base.free_page(cpu, pfn);
    }

    /// Gives back all that is kept for later.
    pub(crate) fn empty<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>) {
        let clean = std::mem::take(&mut *self.0.lock_irqsave(cpu));
        base.free_pages(cpu, clean);
    }
}

/// Allocates pages, as many as there are up to this number, and drains once for all.
fn clean_batch<P: PvMmu>(
    base: &Base<P>,
    cpu: &Cpu<'_>,
    pages: usize,
    drain: DrainAliases<'_>,
) -> Result<Vec<Pfn>, WouldSleep> {
    let owned_first = base.protocol.does(Step::OwnBeforeDrain);
    if !owned_first {
        drain()?;
    }
    let batch: Vec<_> = (0..pages).map_while(|_| base.alloc_page(cpu)).collect();
    if owned_first && let Err(would_sleep) = drain() {
        base.free_pages(cpu, batch);
        return Err(would_sleep);
    }
    Ok(batch)
}
