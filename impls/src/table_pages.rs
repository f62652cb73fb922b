//! Pages that are to become page tables. Where the platform allows tables no alias (seed 004) the kernel has to see to it
//! that none is left; when and how is the design point `table_drain`.
//!
//! What the kernel may rely on: no caller maps these pages now, and none will before they are tables. So an alias that is left is
//! one whose unmap has returned, and a drain that starts from here on takes it. The drain itself is handed down from above.

use crate::alias_table::AliasTable;
use crate::base::{Base, DrainAliases, WouldSleep};
use crate::page_flags::PageFlags;
use crate::paravirt::{Pfn, PvMmu, Refused};
use crate::protocol::TableDrain;
use crate::quicklist::Quicklist;
use crate::sync::Lockdep;
use machine::{Bus, Cpu, Flags};
use std::rc::Rc;

/// Why a page could not be had for a table, or why tables or entries could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No page for a table.
    NoMemory,
    /// The platform refused.
    Refused,
    /// It would have to sleep, and the caller has interrupts off.
    WouldSleep,
}

impl From<WouldSleep> for MapError {
    fn from(_: WouldSleep) -> Self {
        Self::WouldSleep
    }
}

impl From<Refused> for MapError {
    fn from(_: Refused) -> Self {
        Self::Refused
    }
}

/// What the kernel knows of the aliases of pages, in the way of each design.
#[derive(Debug)]
pub struct TablePages {
    pub(crate) flags: PageFlags,
    pub(crate) aliases: AliasTable,
    clean: Quicklist,
}

impl TablePages {
    /// No page has an alias.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, pages: u32, design: TableDrain) -> Self {
        Self {
            flags: PageFlags::new(bus, pages),
            aliases: AliasTable::new(bus, pages, design),
            clean: Quicklist::new(bus, lockdep),
        }
    }

    /// Variables needed for this number of pages.
    pub const fn vars(pages: u32) -> u32 {
        const QUICKLIST: u32 = 1;
        pages + AliasTable::vars(pages) + QUICKLIST
    }

    /// Remembers of pages that are about to be mapped that they have an alias, as the design has it. Returns what marks
    /// their entries.
    pub(crate) fn note_aliases<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pages: &[Pfn]) -> Flags {
        if base.table_drain_is(TableDrain::PageFlag) {
            for pfn in pages {
                self.flags.set_alias(cpu, *pfn);
            }
        }
        self.aliases.count(base, cpu, pages)
    }

    /// Before these pages become tables: drains their aliases in this way, together and at most once, if the design asks
    /// for it.
    pub(crate) fn drain_for<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        pages: &[Pfn],
        drain: DrainAliases<'_>,
    ) -> Result<(), WouldSleep> {
        if !P::TABLES_ALLOW_NO_ALIAS || pages.is_empty() {
            return Ok(());
        }
        let design = base.protocol.designs.table_drain;
        let drains = match design {
            TableDrain::Always | TableDrain::FirstPin | TableDrain::CleanCache => true,
            TableDrain::HighOnly => pages.iter().any(|pfn| base.is_high(*pfn)),
            TableDrain::Never | TableDrain::FixUp => false,
            TableDrain::PageFlag => pages.iter().any(|pfn| self.flags.has_alias(cpu, *pfn)),
            TableDrain::SideTable | TableDrain::SideTableOnRequest => {
                pages.iter().any(|pfn| self.aliases.may_have_aliases(base, cpu, *pfn))
            }
        };
        if !drains {
            return Ok(());
        }
        drain()?;
        for pfn in pages {
            match design {
                TableDrain::PageFlag => self.flags.clear_alias(cpu, *pfn),
                TableDrain::SideTable | TableDrain::SideTableOnRequest => {
                    self.aliases.are_known(base, cpu, *pfn);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Allocates pages that may become tables: all of them first, then one drain for all. In the other order one could
    /// be unmapped, freed and allocated in between.
    pub(crate) fn alloc<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        wanted: usize,
        into: &mut Vec<Pfn>,
        drain: DrainAliases<'_>,
    ) -> Result<(), MapError> {
        if base.table_drain_is(TableDrain::CleanCache) {
            let enough = into.len() + wanted;
            self.clean.take(base, cpu, wanted, into, drain)?;
            return if into.len() == enough { Ok(()) } else { Err(MapError::NoMemory) };
        }
        for _ in 0..wanted {
            into.push(base.alloc_page(cpu).ok_or(MapError::NoMemory)?);
        }
        Ok(self.drain_for(base, cpu, into, drain)?)
    }

    /// A clean page, if there is one to be had.
    pub(crate) fn alloc_clean<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        drain: DrainAliases<'_>,
    ) -> Result<Option<Pfn>, WouldSleep> {
        let mut clean = Vec::with_capacity(1);
        self.clean.take(base, cpu, 1, &mut clean, drain)?;
        Ok(clean.pop())
    }

    /// Gives a page back that was a table until now, or was meant for one, and that no caller could map.
    pub(crate) fn free<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) {
        self.clean.free(base, cpu, pfn);
    }

    /// Gives back what is kept for later.
    pub(crate) fn free_all<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>) {
        self.clean.empty(base, cpu);
    }
}
