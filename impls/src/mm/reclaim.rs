//! Pages of objects leave memory (`shrink_folio_list`): the kernel unmaps a page everywhere, stores what it holds, and frees it.
//!
//! The reverse map says where a page may be mapped. It is walked without `mmap_lock`; its own semaphore keeps what it says from
//! going. An entry that moves meanwhile may be missed. Then its reference keeps the page.

use super::object::{Mapped, Object};
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::vpn::PageRange;
use machine::paging::index;
use machine::{Cpu, Word};

impl<P: PvMmu> Kernel<P> {
    /// Takes all pages of an object out of memory to which no other caller or CPU has a reference.
    pub(crate) fn reclaim(&self, cpu: &Cpu<'_>, object: &Object) {
        for number in 0..object.count {
            let Some(pfn) = self.object_page_in_memory(cpu, object, number) else { continue };
            self.try_to_unmap(cpu, object, number, pfn);
            if self.store_away(cpu, object, number, pfn) {
                self.free_page(cpu, pfn);
            } else {
                self.counts.put(self, cpu, pfn);
            }
        }
    }

    /// Clears every entry that leads to a page of an object (`try_to_unmap`). The caller has a reference to it.
    fn try_to_unmap(&self, cpu: &Cpu<'_>, object: &Object, number: u64, pfn: Pfn) {
        let mappings = object.mappings.read(cpu);
        for mapped in mappings.iter() {
            if (mapped.from..mapped.from + mapped.range.pages).contains(&number) {
                self.unmap_one(cpu, mapped, number, pfn);
            }
        }
    }

    /// Clears the entry that leads to a page from one place, if it does (`try_to_unmap_one`). Every CPU has forgotten it before the
    /// lock of its table is let go of.
    fn unmap_one(&self, cpu: &Cpu<'_>, mapped: &Mapped, number: u64, pfn: Pfn) {
        let page = mapped.range.first + (number - mapped.from);
        let Some(mm) = mapped.mm.upgrade() else { return };
        let Some(upper) = self.upper_entry(cpu, &mm, page) else { return };
        let Some(locked) = self.lock_table(cpu, upper) else { return };
        let word = Word::new(locked.table, index(page.address(), 1));
        let entry = cpu.load_entry(word, 1);
        if !entry.present() || self.pv.pfn_of(entry.frame()) != pfn {
            return;
        }
        self.clear_user_entry(cpu, &mm, word, 1);
        self.flush_tlb_mm_range(cpu, &mm, PageRange { first: page, pages: 1 });
        self.counts.unmap(cpu, pfn);
        drop(locked);
        self.counts.put(self, cpu, pfn);
    }
}
