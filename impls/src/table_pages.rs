//! Pages that are to become page tables. Where the platform allows tables no alias (seed 004) somebody has to see to it
//! that none is left; who, when and how is the design point `table_drain`.
//!
//! What may be relied on: nobody maps these pages now, and nobody will before they are tables. So an alias that is left is
//! one whose unmap has returned, and a drain that starts from here on takes it.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu, Refused};
use crate::protocol::TableDrain;
use crate::vmalloc::purge::WouldSleep;
use machine::Cpu;

/// Why a page did not become a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotPinned {
    /// A drain is needed, where the caller may not sleep.
    WouldSleep,
    /// The platform refused.
    Refused,
}

impl From<WouldSleep> for NotPinned {
    fn from(_: WouldSleep) -> Self {
        Self::WouldSleep
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Whether this is how aliases are kept from tables here.
    pub(crate) fn table_drain_is(&self, design: TableDrain) -> bool {
        P::TABLES_ALLOW_NO_ALIAS && self.protocol.designs.table_drain == design
    }

    /// Before these pages become tables: drains their aliases in this way, together and at most once, if the design asks
    /// for it.
    pub(crate) fn drain_for_tables(
        &self,
        cpu: &Cpu<'_>,
        pages: &[Pfn],
        drain: impl Fn() -> Result<(), WouldSleep>,
    ) -> Result<(), WouldSleep> {
        if !P::TABLES_ALLOW_NO_ALIAS || pages.is_empty() {
            return Ok(());
        }
        let design = self.protocol.designs.table_drain;
        let drains = match design {
            TableDrain::Always | TableDrain::FirstPin | TableDrain::CleanCache => true,
            TableDrain::HighOnly => pages.iter().any(|pfn| self.is_high(*pfn)),
            TableDrain::Never | TableDrain::FixUp => false,
            TableDrain::PageFlag => pages.iter().any(|pfn| self.alias_flag(cpu, *pfn)),
            TableDrain::SideTable | TableDrain::SideTableOnRequest => {
                pages.iter().any(|pfn| self.may_have_aliases(cpu, *pfn))
            }
        };
        if !drains {
            return Ok(());
        }
        drain()?;
        for pfn in pages {
            match design {
                TableDrain::PageFlag => self.clear_alias_flag(cpu, *pfn),
                TableDrain::SideTable | TableDrain::SideTableOnRequest => self.aliases_are_known(cpu, *pfn),
                _ => {}
            }
        }
        Ok(())
    }

    /// Above the direct map: the kernel maps such a page when it wants to touch it.
    pub(crate) fn is_high(&self, pfn: Pfn) -> bool {
        pfn.0 >= self.sizes.first_high_frame()
    }

    /// Before one page of a caller's becomes a table: the same for it alone. What comes back stands in its place.
    pub(crate) fn table_page(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<Pfn, WouldSleep> {
        if self.table_drain_is(TableDrain::CleanCache) {
            return self.exchange_for_clean_page(cpu, pfn);
        }
        self.drain_for_tables(cpu, &[pfn], || self.vm_unmap_aliases(cpu))?;
        Ok(pfn)
    }

    /// Has the platform make tables of pages. By the design that does not drain beforehand, its refusal is the news that
    /// an alias is left.
    pub(crate) fn pin_or_fix_up(
        &self,
        cpu: &Cpu<'_>,
        pin: impl Fn() -> Result<(), Refused>,
    ) -> Result<(), NotPinned> {
        match pin() {
            Err(Refused) if self.table_drain_is(TableDrain::FixUp) => {
                self.vm_unmap_aliases(cpu)?;
                pin().map_err(|Refused| NotPinned::Refused)
            }
            pinned => pinned.map_err(|Refused| NotPinned::Refused),
        }
    }
}
