//! Large leaves: entries of the second level that map 2 MiB at once, where a table of the lowest level may have been
//! before.
//!
//! A table whose areas are all gone may still stand: by design the kernel keeps it for the next of them. No entry of it
//! is present and no CPU translates by it; but some CPU may remember the way to it. So before its page is put to another
//! use, the entry that leads to it is cleared and every CPU forgets that way, as for a table that is freed by a purge:
//!
//! ```text
//!   c0 maps 2 MiB                         c1
//!                                         its walk cache: the entry, which leads to the table
//!   the entry: large
//!   free the table; somebody gets it
//!                                         walks for an address of the area: through the page that was the
//!                                         table, whatever is in it now
//! ```
//!
//! That breaks rule 6. The flush stands between the two, and the large entry is written after it.

use super::{KernelTables, Lacking};
use crate::base::{Base, DrainAliases};
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::PAGE_KERNEL;
use crate::protocol::{HugeOverTable, Step};
use crate::vpn::Vpn;
use machine::{Cpu, Entry, Flags, Word};

/// Pages of the smallest size in one of 2 MiB.
pub(crate) const LARGE: u64 = machine::paging::WORDS as u64;

impl<P: PvMmu> Kernel<P> {
    /// Maps a large page at the 2 MiB that begin with a page, of which no area uses any. Returns whether it did: there
    /// may be no page for an upper table, or by design a table that stays where it is.
    pub(crate) fn map_large(&self, cpu: &Cpu<'_>, first: Vpn, pfn: Pfn, drain: DrainAliases<'_>) -> bool {
        let mut spare = Vec::new();
        let mapped = loop {
            match self.try_map_large(cpu, first, pfn, &mut spare) {
                Ok(mapped) => break mapped,
                Err(Lacking::Pages(wanted))
                    if self.table_pages.alloc(self, cpu, wanted.into(), &mut spare, drain).is_ok() => {}
                Err(_) => break false,
            }
        };
        for pfn in spare {
            self.table_pages.free(self, cpu, pfn);
        }
        mapped
    }

    fn try_map_large(
        &self,
        cpu: &Cpu<'_>,
        first: Vpn,
        pfn: Pfn,
        spare: &mut Vec<Pfn>,
    ) -> Result<bool, Lacking> {
        let va = first.address();
        // Held over all of it: a purge that takes tables back does so under it too.
        let mut users = self.tables.users.lock(cpu);
        let word = self.tables.make(self, cpu, va, 2, spare)?;
        let former = cpu.load_entry(word, 2);
        if former.present() {
            if self.protocol.designs.huge_over_table == HugeOverTable::SmallPages {
                return Ok(false);
            }
            // Under designs by which a purge does not count areas off, those that are gone may still count.
            users.0.remove(&first.table(1));
            self.take_table_away(cpu, first, former);
        }
        let entry = self.pv.make_entry(pfn, PAGE_KERNEL | Flags::HUGE_PAGE);
        if self.pv.set_entry(cpu, word, 2, entry).is_err() {
            cpu.bug("the platform refuses a large entry");
        }
        self.tables.add_to_copies(self, cpu, va, entry);
        Ok(true)
    }

    /// Nothing is mapped by the table that this entry leads to: it becomes an ordinary page again (`pmd_free_pte_page`).
    fn take_table_away(&self, cpu: &Cpu<'_>, first: Vpn, former: Entry) {
        let va = first.address();
        if former.has(Flags::HUGE_PAGE) || self.tables.unhook(self, cpu, va, 2).is_none() {
            cpu.bug("an area is mapped over another");
        }
        self.tables.remove_from_copies(self, cpu, va);
        if self.protocol.does(Step::FlushBeforeTableGoes) {
            self.tlb.flush(self, cpu, FlushRequest::way_to(first));
        }
        let pfn = self.pv.pfn_of(former.frame());
        self.pv.release_table(cpu, pfn, 1);
        self.table_pages.free(self, cpu, pfn);
    }
}

impl KernelTables {
    /// Gives a large page other flags, and flushes nothing.
    pub(crate) fn protect_large<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        first: Vpn,
        pfn: Pfn,
        flags: Flags,
    ) {
        let entry = base.pv.make_entry(pfn, flags | Flags::HUGE_PAGE);
        self.change_large_leaf(base, cpu, self.large_word(cpu, first), first.address(), entry);
    }

    /// Clears the entry of a large page, and flushes nothing.
    pub(crate) fn unmap_large<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, first: Vpn) {
        self.change_large_leaf(base, cpu, self.large_word(cpu, first), first.address(), Entry::EMPTY);
    }

    fn large_word(&self, cpu: &Cpu<'_>, first: Vpn) -> Word {
        let Some(word) = self.entry(cpu, first.address(), 2) else { cpu.bug("an area has no tables") };
        word
    }
}
