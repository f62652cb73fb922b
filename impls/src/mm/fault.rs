//! Page faults at user addresses: a page gets its memory when it is touched first, a copy of its own when it is written first.
//!
//! Nothing of it is one step. The entry is read without a lock, memory is got, and then the table is locked and the entry read
//! again: another thread may have been faster, or may have taken away what was seen.

use super::vma::{Backing, Vma};
use super::{Mm, tables};
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::Step;
use crate::vpn::{PageRange, Vpn};
use machine::paging::index;
use machine::{Cpu, Entry, Family, Flags, Word};

/// Flags of a page that user code may read.
const USER_PAGE: Flags =
    Flags::PRESENT.union(Flags::USER_ACCESSIBLE).union(Flags::ACCESSED).union(Flags::NO_EXECUTE);

const fn page_flags(writable: bool) -> Flags {
    if writable { USER_PAGE.union(Flags::WRITABLE) } else { USER_PAGE }
}

/// Why a fault was not resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    /// There is nothing, or it is not allowed.
    Fault,
    /// There is no memory.
    NoMemory,
}

/// The page behind a fault that found no entry, with a reference for the entry.
struct Found {
    pfn: Pfn,
    writable: bool,
}

impl<P: PvMmu> Kernel<P> {
    /// Resolves a fault at a page of a mapping, for a write if it was one (`handle_mm_fault`). `mmap_lock` is held to read.
    pub(super) fn handle_mm_fault(
        &self,
        cpu: &Cpu<'_>,
        mm: &Mm,
        vma: &Vma,
        page: Vpn,
        write: bool,
    ) -> Result<(), Failed> {
        let upper = self.alloc_tables(cpu, mm, page)?;
        // Where the table is gone again, the access is made again, and faults again.
        let Some(entry) = self.entry_without_lock(cpu, upper, page) else { return Ok(()) };
        if !entry.present() {
            self.fill_in(cpu, vma, upper, page, write)
        } else if write && !entry.has(Flags::WRITABLE) {
            self.write_protected(cpu, mm, vma, (upper, page), entry)
        } else {
            // Another thread was faster, or the CPU remembered less than is allowed by now.
            Ok(())
        }
    }

    /// The entry for a page, as it stands now (`pte_offset_map`). A table that is empty may be freed while its addresses stay mapped,
    /// so a CPU that reads without its lock is a reader of RCU.
    fn entry_without_lock(&self, cpu: &Cpu<'_>, upper: Word, page: Vpn) -> Option<Entry> {
        let _reader = self.protocol.does(Step::ReadEntryUnderRcu).then(|| self.rcu.read_lock(cpu));
        let table = tables::table_behind(cpu, upper)?;
        Some(cpu.load_entry_for(Word::new(table, index(page.address(), 1)), 1, page.address()))
    }

    /// There was no entry (`do_anonymous_page`, `do_fault`).
    fn fill_in(&self, cpu: &Cpu<'_>, vma: &Vma, upper: Word, page: Vpn, write: bool) -> Result<(), Failed> {
        let Found { pfn, writable } = self.page_for(cpu, vma, page, write)?;
        let locked = self.lock_table(cpu, upper);
        let word = locked.as_ref().map(|locked| Word::new(locked.table, index(page.address(), 1)));
        // Where the table is gone, or another thread was faster, what was got goes back.
        if let Some(word) = word.filter(|word| !cpu.load_entry(*word, 1).present()) {
            self.counts.map(cpu, pfn);
            self.set_user_entry(cpu, word, self.pv.make_entry(pfn, page_flags(writable)));
        } else {
            drop(locked);
            self.counts.put(self, cpu, pfn);
        }
        Ok(())
    }

    /// The page that is to be behind a page of a mapping, with a reference.
    fn page_for(&self, cpu: &Cpu<'_>, vma: &Vma, page: Vpn, write: bool) -> Result<Found, Failed> {
        let Backing::Object { object, from, shared } = &vma.backing else {
            let pfn = self.alloc_user_page(cpu).ok_or(Failed::NoMemory)?;
            return Ok(Found { pfn, writable: vma.writable });
        };
        let pfn = self.object_page(cpu, object, from + (page - vma.start))?;
        if write && !shared {
            let copy = self.copy_of(cpu, pfn);
            self.counts.put(self, cpu, pfn);
            return Ok(Found { pfn: copy?, writable: vma.writable });
        }
        Ok(Found { pfn, writable: *shared && vma.writable })
    }

    /// A write met an entry that does not allow it, of a mapping that does (`do_wp_page`).
    fn write_protected(
        &self,
        cpu: &Cpu<'_>,
        mm: &Mm,
        vma: &Vma,
        at: (Word, Vpn),
        seen: Entry,
    ) -> Result<(), Failed> {
        let Some(old) = self.make_writable(cpu, vma, at, seen) else { return Ok(()) };
        let copied =
            self.copy_of(cpu, old).map(|copy| self.replace_by(cpu, (mm, vma), at, seen, (old, copy)));
        self.counts.put(self, cpu, old);
        copied
    }

    /// Where the page is the address space's alone, or an object's that is shared, the entry allows writing from now on
    /// (`wp_page_reuse`). Otherwise it is to be copied: returns it, with a reference, for it may leave memory meanwhile.
    fn make_writable(
        &self,
        cpu: &Cpu<'_>,
        vma: &Vma,
        (upper, page): (Word, Vpn),
        seen: Entry,
    ) -> Option<Pfn> {
        let locked = self.lock_table(cpu, upper)?;
        let word = Word::new(locked.table, index(page.address(), 1));
        if !is_still(cpu.load_entry(word, 1), seen) {
            return None;
        }
        let pfn = self.pv.pfn_of(seen.frame());
        if let Backing::Object { object, from, shared: false } = &vma.backing
            && object.holds(cpu, from + (page - vma.start), pfn)
        {
            self.counts.get(cpu, pfn);
            return Some(pfn);
        }
        // A forced write may reach what user code may only read.
        if vma.writable {
            self.set_user_entry(cpu, word, Entry(seen.0 | Flags::WRITABLE.bits()));
        }
        None
    }

    /// A copy comes in the place of an object's page (`wp_page_copy`). The entry goes, and every CPU forgets it, before the new one
    /// comes. Otherwise one thread would write the copy, and another read the old page for ever.
    fn replace_by(
        &self,
        cpu: &Cpu<'_>,
        (mm, vma): (&Mm, &Vma),
        (upper, page): (Word, Vpn),
        seen: Entry,
        (old, copy): (Pfn, Pfn),
    ) {
        let mut replaced = None;
        if let Some(locked) = self.lock_table(cpu, upper) {
            let word = Word::new(locked.table, index(page.address(), 1));
            if is_still(cpu.load_entry(word, 1), seen) {
                self.clear_user_entry(cpu, mm, word, 1);
                self.flush_tlb_mm_range(cpu, mm, PageRange { first: page, pages: 1 });
                self.counts.map(cpu, copy);
                self.counts.unmap(cpu, old);
                let entry = self.pv.make_entry(copy, page_flags(vma.writable));
                self.set_user_entry(cpu, word, entry);
                replaced = Some(old);
            }
        }
        self.counts.put(self, cpu, replaced.unwrap_or(copy));
    }

    /// A new page that holds what another one holds at this moment. The caller has a reference to the other one.
    fn copy_of(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<Pfn, Failed> {
        let copy = self.alloc_user_page(cpu).ok_or(Failed::NoMemory)?;
        let held = cpu.load_word(Word::new(self.pv.frame_of(pfn), 0), Family::DATA);
        cpu.store_word(Word::new(self.pv.frame_of(copy), 0), Family::DATA, held);
        Ok(copy)
    }

    /// Sets a leaf of the user half. The lock of its table is held.
    pub(super) fn set_user_entry(&self, cpu: &Cpu<'_>, word: Word, entry: Entry) {
        if self.pv.set_entry(cpu, word, 1, entry).is_err() {
            cpu.bug("the platform refused a page of an address space");
        }
    }
}

/// Whether an entry leads where it led and allows what it allowed; the hardware may have set bits.
fn is_still(now: Entry, seen: Entry) -> bool {
    let hardware = (Flags::ACCESSED | Flags::DIRTY).bits();
    (now.0 | hardware) == (seen.0 | hardware)
}
