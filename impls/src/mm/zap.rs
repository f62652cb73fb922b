//! Taking pages away from a range of an address space, and narrowing what user code may do with them: table by table, under the
//! lock of each.

use super::gather::MmuGather;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::non_zero;
use crate::vpn::{PageRange, Vpn};
use machine::paging::index;
use machine::{Cpu, Entry, Flags, Word};

/// What stopped a walk over the entries of a table.
enum Stopped {
    /// It is at its end.
    AtEnd,
    /// The batch of the gather is full; this page comes next.
    Full(Vpn),
}

impl<P: PvMmu> Kernel<P> {
    /// Unmaps the pages of a range (`unmap_page_range`). What is taken away waits in the gather.
    pub(super) fn zap_range(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>, range: PageRange) {
        for (upper, mut pages) in self.lowest_tables(cpu, gather.mm, range) {
            while let Stopped::Full(next) = self.zap_table(cpu, gather, upper, pages) {
                self.tlb_flush_mmu(cpu, gather);
                let end = pages.first + pages.pages;
                pages = PageRange { first: next, pages: end - next };
            }
        }
    }

    /// Unmaps the pages of a range that one table maps (`zap_pte_range`).
    fn zap_table(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>, upper: Word, pages: PageRange) -> Stopped {
        if pages.pages == 0 {
            return Stopped::AtEnd;
        }
        let Some(locked) = self.lock_table(cpu, upper) else { return Stopped::AtEnd };
        self.pv.enter_lazy_mmu(cpu);
        let mut stopped = Stopped::AtEnd;
        for (page, word) in entries_of(cpu, &locked, pages) {
            if !cpu.load_entry(word, 1).present() {
                continue;
            }
            let entry = self.clear_user_entry(cpu, gather.mm, word, 1);
            let pfn = self.pv.pfn_of(entry.frame());
            self.counts.unmap(cpu, pfn);
            if self.tlb_remove_page(gather, page, pfn) {
                stopped = Stopped::Full(page + 1);
                break;
            }
        }
        self.leave_lazy(cpu);
        drop(locked);
        stopped
    }

    /// User code may only read the pages of a range from now on (`change_protection`). Entries that allow more are narrowed; the
    /// flush waits in the gather. To allow more nothing need be done here: the next write faults.
    pub(super) fn write_protect_range(&self, cpu: &Cpu<'_>, gather: &mut MmuGather<'_>, range: PageRange) {
        for (upper, pages) in self.lowest_tables(cpu, gather.mm, range) {
            let Some(locked) = self.lock_table(cpu, upper) else { continue };
            self.pv.enter_lazy_mmu(cpu);
            for (page, word) in entries_of(cpu, &locked, pages) {
                let entry = cpu.load_entry(word, 1);
                if !entry.present() || !entry.has(Flags::WRITABLE) {
                    continue;
                }
                // The hardware may set bits until the entry is clear (`ptep_modify_prot_start`).
                let entry = self.clear_user_entry(cpu, gather.mm, word, 1);
                let narrowed = Entry(entry.0 & !Flags::WRITABLE.bits());
                if self.pv.set_entry(cpu, word, 1, narrowed).is_err() {
                    cpu.bug("the platform does not let an entry be narrowed");
                }
                gather.flush_range(PageRange { first: page, pages: 1 });
            }
            self.leave_lazy(cpu);
        }
    }

    /// Leaves lazy MMU mode after entries were cleared, narrowed or moved, which no platform refuses.
    pub(super) fn leave_lazy(&self, cpu: &Cpu<'_>) {
        if self.pv.leave_lazy_mmu(cpu).is_err() {
            cpu.bug("the platform does not let go of entries");
        }
    }

    /// A page of data, zeroed, with one reference, for user code.
    pub(crate) fn alloc_user_page(&self, cpu: &Cpu<'_>) -> Option<Pfn> {
        let pfn = self.alloc_page(cpu)?;
        self.counts.begin(cpu, pfn);
        Some(pfn)
    }
}

/// The entries of a locked table for pages of a range that are not 0, with their pages.
pub(super) fn entries_of<'a>(
    cpu: &'a Cpu<'_>,
    locked: &super::tables::LockedTable<'_>,
    pages: PageRange,
) -> impl Iterator<Item = (Vpn, Word)> + use<'a> {
    let (table, first) = (locked.table, index(pages.first.address(), 1));
    let places = first..first + pages.pages as usize;
    non_zero(cpu, table)
        .skip_while(move |place| *place < first)
        .take_while(move |place| places.contains(place))
        .map(move |place| (pages.first + (place - first) as u64, Word::new(table, place)))
}
