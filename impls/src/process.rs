//! A process under construction: its page tables come one at a time, as it is given memory, and become page tables to the
//! platform by one call when it is about to run. Of any size, and others get on with theirs in between, as during a fork.

use crate::callers::{failed, not_pinned};
use crate::kernel::Kernel;
use crate::kernel_tables::MapError;
use crate::paravirt::{Pfn, PvMmu};
use machine::Cpu;
use oracle::vocabulary::Outcome;
use std::cell::{Cell, RefCell};

/// The one process that is under construction, or was last.
#[derive(Debug, Default)]
pub(crate) struct Process {
    /// Its tables, as [`crate::table_tree`] orders them.
    tables: RefCell<Vec<Pfn>>,
    pinned: Cell<bool>,
}

impl<P: PvMmu> Kernel<P> {
    pub(crate) fn add_process_table(&self, cpu: &Cpu<'_>) -> Outcome {
        let Some(pfn) = self.pages.alloc(&self.pv, cpu) else { return failed(MapError::NoMemory) };
        let mut tables = self.process.tables.take();
        tables.push(pfn);
        let place = tables.len() - 1;
        let linked = self.link_into_tree(cpu, &mut tables, place);
        if linked.is_err()
            && let Some(pfn) = tables.pop()
        {
            self.pages.free(&self.pv, cpu, pfn);
        }
        self.process.tables.replace(tables);
        linked.map_or_else(not_pinned, |()| Outcome::Done)
    }

    pub(crate) fn pin_process(&self, cpu: &Cpu<'_>) -> Outcome {
        let tables = self.process.tables.take();
        let pinned = self.pin_linked(cpu, &tables);
        self.process.pinned.set(pinned.is_ok());
        self.process.tables.replace(tables);
        pinned.map_or_else(not_pinned, |()| Outcome::Done)
    }

    /// The process ends, if there is one, and its tables with it.
    pub(crate) fn end_process(&self, cpu: &Cpu<'_>) {
        let mut tables = self.process.tables.take();
        if self.process.pinned.take() {
            self.unpin_tree(cpu, &mut tables);
        } else {
            self.dismantle(cpu, &tables);
        }
        for pfn in tables {
            self.pages.free(&self.pv, cpu, pfn);
        }
    }
}
