//! Large leaves: entries of the second level that map 2 MiB at once, where a table of the lowest level may have been
//! before.
//!
//! A table whose areas are all gone may still stand: by design the kernel keeps it for the next of them. No entry of it
//! is present and nobody translates by it; but some CPU may remember the way to it. So before its page is put to another
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

use super::{Lacking, PAGE_KERNEL};
use crate::kernel::Kernel;
use crate::paravirt::{PageRange, Pfn, PvMmu};
use crate::protocol::{HugeOverTable, Step};
use machine::paging::index;
use machine::{Cpu, Entry, Flags, Word};

/// Pages of the smallest size in one of 2 MiB.
pub(crate) const LARGE: u64 = machine::paging::WORDS as u64;

impl<P: PvMmu> Kernel<P> {
    /// Maps a large page at the 2 MiB that begin with a page, of which no area uses any. Returns whether it did: there
    /// may be no page for an upper table, or by design a table that stays where it is.
    pub(crate) fn map_large(&self, cpu: &Cpu<'_>, first: u64, pfn: Pfn) -> bool {
        let mut spare = Vec::new();
        let mapped = loop {
            match self.try_map_large(cpu, first << 12, pfn, &mut spare) {
                Ok(mapped) => break mapped,
                Err(Lacking::Pages(wanted)) if self.alloc_table_pages(cpu, wanted, &mut spare).is_ok() => {}
                Err(_) => break false,
            }
        };
        for pfn in spare {
            self.free_table_page(cpu, pfn);
        }
        mapped
    }

    fn try_map_large(&self, cpu: &Cpu<'_>, va: u64, pfn: Pfn, spare: &mut Vec<Pfn>) -> Result<bool, Lacking> {
        // Held over all of it: a purge that takes tables back does so under it too.
        let mut users = self.tables.users.lock(cpu);
        let table = self.make_tables(cpu, va, 2, spare)?;
        let word = Word::new(table, index(va, 2));
        let former = cpu.load_entry(word, 2);
        if former.present() {
            if self.protocol.designs.huge_over_table == HugeOverTable::SmallPages {
                return Ok(false);
            }
            // Under designs by which a purge does not count areas off, those that are gone may still count.
            users.0.remove(&(va >> 21));
            self.take_table_away(cpu, va, former);
        }
        let entry = self.pv.make_entry(pfn, PAGE_KERNEL | Flags::HUGE_PAGE);
        self.set_large(cpu, word, entry);
        self.add_to_mms(cpu, va, entry);
        Ok(true)
    }

    /// Nothing is mapped by the table that this entry leads to: it becomes an ordinary page again (`pmd_free_pte_page`).
    fn take_table_away(&self, cpu: &Cpu<'_>, va: u64, former: Entry) {
        if former.has(Flags::HUGE_PAGE) || self.unhook(cpu, va, 2).is_none() {
            cpu.bug("an area is mapped over another");
        }
        self.remove_from_mms(cpu, va);
        if self.protocol.does(Step::FlushBeforeTableGoes) {
            // The address of any page will do: what is to be forgotten is the way.
            self.flush_tlb_kernel_range(cpu, PageRange { first: va >> 12, pages: 1 });
        }
        let pfn = self.pv.pfn_of(former.frame());
        self.pv.release_table(cpu, pfn, 1);
        self.free_table_page(cpu, pfn);
    }

    /// Gives a large page other flags, and flushes nothing.
    pub(crate) fn protect_large(&self, cpu: &Cpu<'_>, first: u64, pfn: Pfn, flags: Flags) {
        let entry = self.pv.make_entry(pfn, flags | Flags::HUGE_PAGE);
        self.change_large_leaf(cpu, self.large_word(cpu, first), first << 12, entry);
    }

    /// Clears the entry of a large page, and flushes nothing.
    pub(crate) fn unmap_large(&self, cpu: &Cpu<'_>, first: u64) {
        self.change_large_leaf(cpu, self.large_word(cpu, first), first << 12, Entry::EMPTY);
    }

    fn large_word(&self, cpu: &Cpu<'_>, first: u64) -> Word {
        let Some(word) = self.entry_word(cpu, first << 12, 2) else { cpu.bug("an area has no tables") };
        word
    }

    #[track_caller]
    fn set_large(&self, cpu: &Cpu<'_>, word: Word, entry: Entry) {
        if self.pv.set_entry(cpu, word, 2, entry).is_err() {
            cpu.bug("the platform refuses a large entry");
        }
    }

    /// The large leaf for an address, if there is one.
    pub(super) fn large_entry(&self, cpu: &Cpu<'_>, va: u64) -> Option<Entry> {
        let entry = cpu.load_entry(self.entry_word(cpu, va, 2)?, 2);
        entry.has(Flags::HUGE_PAGE).then_some(entry)
    }
}
