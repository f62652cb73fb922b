//! The leaves of areas: set, changed and cleared. Nothing here flushes.

use super::KernelTables;
use crate::alias_table::{COUNTED, counted_by};
use crate::base::Base;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::PAGE_KERNEL;
use crate::protocol::Step;
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::{Cpu, Entry, Flags};

impl<P: PvMmu> Kernel<P> {
    /// Maps pages from the start of a range on, readable and writable. The tables are there.
    pub(crate) fn map_pages(&self, cpu: &Cpu<'_>, first: Vpn, pages: &[Pfn]) -> Result<(), MapError> {
        let flags = PAGE_KERNEL | self.table_pages.note_aliases(self, cpu, pages);
        self.pv.enter_lazy_mmu(cpu);
        let set = pages.iter().enumerate().try_for_each(|(index, pfn)| {
            let va = (first + index as u64).address();
            let Some(word) = self.tables.entry(cpu, va, 1) else { cpu.bug("an area has no tables") };
            if cpu.load_entry(word, 1).present() {
                cpu.bug("an area is mapped over another");
            }
            self.pv.set_pte_at(cpu, va, word, self.pv.make_entry(*pfn, flags))
        });
        let left = self.pv.leave_lazy_mmu(cpu);
        Ok(set.and(left)?)
    }

    /// Clears the entries of a range (`vunmap_range_noflush`). What is counted off is gone: see `alias_table.rs`.
    pub(crate) fn unmap_pages(&self, cpu: &Cpu<'_>, range: PageRange) {
        let aliases = &self.table_pages.aliases;
        if !aliases.may_be_kept::<P>() {
            return self.tables.clear(self, cpu, range);
        }
        let leaf = |va| Some(cpu.load_entry(self.tables.entry(cpu, va, 1)?, 1));
        let counted: Vec<_> = range.addresses().filter_map(|va| counted_by(self, leaf(va)?)).collect();
        self.protocol.in_order(
            Step::ClearBeforeCountingOff,
            || self.tables.clear(self, cpu, range),
            || counted.into_iter().for_each(|pfn| aliases.count_off(cpu, pfn)),
        );
    }
}

impl KernelTables {
    /// Gives a mapped page other flags.
    pub(crate) fn protect_page<P: PvMmu>(
        &self,
        base: &Base<P>,
        cpu: &Cpu<'_>,
        page: Vpn,
        pfn: Pfn,
        flags: Flags,
    ) {
        let va = page.address();
        let Some(word) = self.entry(cpu, va, 1) else { cpu.bug("an area has no tables") };
        // What marks the entry for others stays.
        let marks = cpu.load_entry(word, 1).flags() & COUNTED;
        if base.pv.set_pte_at(cpu, va, word, base.pv.make_entry(pfn, flags | marks)).is_err() {
            cpu.bug("the platform does not let permissions be changed");
        }
    }

    /// Clears the entries of a range, whatever the books of aliases say.
    fn clear<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, range: PageRange) {
        base.pv.enter_lazy_mmu(cpu);
        for va in range.addresses() {
            let cleared = match self.entry(cpu, va, 1) {
                Some(word) => base.pv.set_pte_at(cpu, va, word, Entry::EMPTY),
                None => Ok(()),
            };
            if cleared.is_err() {
                self.must_be_clear(cpu, range);
            }
        }
        if base.pv.leave_lazy_mmu(cpu).is_err() {
            self.must_be_clear(cpu, range);
        }
    }

    /// The platform refused to clear an entry. Where it had refused to set it before, there is none to be cleared.
    fn must_be_clear(&self, cpu: &Cpu<'_>, range: PageRange) {
        if range.addresses().any(|va| self.leaf(cpu, va).is_some_and(Entry::present)) {
            cpu.bug("the platform does not let go of an entry");
        }
    }
}
