//! A process under construction: its page tables come one at a time, as it is given memory, and become page tables to the
//! platform by one call when it is about to run. Of any size, and others get on with theirs in between, as during a fork.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pinning::NotPinned;
use machine::Cpu;
use std::cell::{Cell, RefCell};

/// The one process that is under construction, or was last.
#[derive(Debug, Default)]
pub(crate) struct Process {
    /// Its tables, as [`crate::table_tree`] orders them.
    tables: RefCell<Vec<Pfn>>,
    pinned: Cell<bool>,
}

impl<P: PvMmu> Kernel<P> {
    /// One more page becomes a table of it, if there is one: `None` if not.
    pub(crate) fn add_process_table(&self, cpu: &Cpu<'_>) -> Option<Result<(), NotPinned>> {
        let pfn = self.alloc_page(cpu)?;
        let mut tables = self.process.tables.take();
        tables.push(pfn);
        let place = tables.len() - 1;
        let linked = self.link_into_tree(cpu, &mut tables, place);
        if linked.is_err()
            && let Some(pfn) = tables.pop()
        {
            self.free_page(cpu, pfn);
        }
        self.process.tables.replace(tables);
        Some(linked)
    }

    /// Its tables become page tables to the platform.
    pub(crate) fn pin_process(&self, cpu: &Cpu<'_>) -> Result<(), NotPinned> {
        let tables = self.process.tables.take();
        let pinned = self.pin_linked(cpu, &tables);
        self.process.pinned.set(pinned.is_ok());
        self.process.tables.replace(tables);
        pinned
    }

    /// The process ends, if there is one, and its tables with it.
    pub(crate) fn end_process(&self, cpu: &Cpu<'_>) {
        let mut tables = self.process.tables.take();
        if self.process.pinned.take() {
            self.unpin_tree(cpu, &mut tables);
        } else {
            self.dismantle(cpu, &tables);
        }
        self.free_pages(cpu, tables);
    }
}
