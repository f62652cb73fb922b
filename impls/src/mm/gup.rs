//! Getting at the pages behind user addresses (`get_user_pages_fast`): first by a walk of the tables with interrupts off and no
//! lock, then, for what the walk did not find, with `mmap_lock` and by faults.
//!
//! The walk may meet anything that is on its way out. That a table is not freed under it, interrupts being off is to see to: the
//! free waits for a flush that interrupts, or for a grace period (`gather.rs`). That a page is not freed under it, nothing sees to.
//! So the walker takes a reference only if there is one still, and then looks whether the entry is as it was. If it is not, the
//! reference goes back: it may be that of another page's user by now.
//!
//! ```text
//!   c0 gup-fast                           c1 munmap, and c1 again
//!   loads the entry: the page
//!                                         clears it, flushes, drops the last reference
//!                                         allocates the page for another address
//!   takes a reference: there is one
//!   loads the entry again: it is clear. Gives the reference back
//! ```
//!
//! The same holds for the upper entry, where a whole table moves or goes while its entries stay.

use super::vma::Vma;
use super::{Mm, fault::Failed};
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{GupReference, Step, WalkGuard};
use crate::vpn::Vpn;
use machine::paging::{LEVELS, index};
use machine::{Cpu, Entry, Flags, Frame, Word};

/// Pages that are pinned together, in the order of their addresses.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Pins {
    pub(crate) pages: Vec<Pfn>,
    /// They may be written.
    pub(crate) writable: bool,
}

/// For what pages are pinned by faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// To read them.
    Read,
    /// To write them (`FOLL_WRITE`).
    Write,
    /// To write them, also those that user code may only read, as long as they are the address space's own (`FOLL_FORCE`).
    ForcedWrite,
}

impl Want {
    /// To read, or to write what user code may write.
    pub(crate) const fn of(writable: bool) -> Self {
        if writable { Self::Write } else { Self::Read }
    }

    fn writes(self) -> bool {
        self != Self::Read
    }
}

/// What a walk without a lock found of one page.
enum Walked {
    /// It is pinned.
    Pinned(Pfn),
    /// The walk is no good for it.
    Not,
}

impl<P: PvMmu> Kernel<P> {
    /// Pins the pages at these addresses, from the first on, as many as it can. Where the caller may not sleep, those that the walk
    /// finds alone.
    pub(crate) fn get_user_pages_fast(
        &self,
        cpu: &Cpu<'_>,
        mm: &Mm,
        at: &[Vpn],
        writable: bool,
        may_sleep: bool,
    ) -> Pins {
        let mut pins = Pins { pages: Vec::with_capacity(at.len()), writable };
        let guard = self.protocol.designs.walk_guard;
        if guard != WalkGuard::SlowOnly {
            let interrupts = guard == WalkGuard::IrqsOff && cpu.irq_save();
            let reader = (guard == WalkGuard::RcuRead).then(|| self.rcu.read_lock(cpu));
            for page in at {
                let Walked::Pinned(pfn) = self.gup_fast_page(cpu, mm, *page, writable) else { break };
                pins.pages.push(pfn);
            }
            drop(reader);
            if guard == WalkGuard::IrqsOff {
                cpu.irq_restore(interrupts);
            }
        }
        if may_sleep {
            self.pin_by_faults(cpu, mm, at, Want::of(writable), &mut pins);
        }
        pins
    }

    /// Pins the pages at these addresses, from the first on, as many as it can, by faults alone (`get_user_pages`).
    pub(crate) fn get_user_pages(&self, cpu: &Cpu<'_>, mm: &Mm, at: &[Vpn], want: Want) -> Pins {
        let mut pins = Pins { pages: Vec::with_capacity(at.len()), writable: want.writes() };
        self.pin_by_faults(cpu, mm, at, want, &mut pins);
        pins
    }

    fn pin_by_faults(&self, cpu: &Cpu<'_>, mm: &Mm, at: &[Vpn], want: Want, pins: &mut Pins) {
        for page in &at[pins.pages.len()..] {
            let Ok(pfn) = self.gup_slow_page(cpu, mm, *page, want) else { break };
            pins.pages.push(pfn);
        }
    }

    /// Walks to one page and pins it (`gup_fast_pte_range`).
    fn gup_fast_page(&self, cpu: &Cpu<'_>, mm: &Mm, page: Vpn, writable: bool) -> Walked {
        let (mut table, mut upper) = (self.pv.frame_of(mm.root()), (Word::new(Frame(0), 0), Entry::EMPTY));
        for level in (2..=LEVELS).rev() {
            let word = Word::new(table, index(page.address(), level));
            let entry = cpu.load_entry_for(word, level, page.address());
            if !entry.present() {
                return Walked::Not;
            }
            (table, upper) = (entry.frame(), (word, entry));
        }
        let word = Word::new(table, index(page.address(), 1));
        let entry = cpu.load_entry_for(word, 1, page.address());
        if !permits(entry, writable) {
            return Walked::Not;
        }
        let pfn = self.pv.pfn_of(entry.frame());
        let reference = self.protocol.designs.gup_reference;
        if reference == GupReference::Plain {
            self.counts.get(cpu, pfn);
        } else if !self.counts.try_get(cpu, pfn) {
            return Walked::Not;
        }
        let leaf_is_still = || cpu.load_entry(word, 1) == entry;
        let upper_is_still = || cpu.load_entry(upper.0, 2) == upper.1;
        let stands = match reference {
            GupReference::RecheckUpper => upper_is_still() && leaf_is_still(),
            GupReference::RecheckLeaf => leaf_is_still(),
            GupReference::NotZero | GupReference::Plain => true,
        };
        if !stands {
            self.counts.put(self, cpu, pfn);
            return Walked::Not;
        }
        self.counts.pin(cpu, pfn);
        Walked::Pinned(pfn)
    }

    /// Pins one page with the mappings held (`faultin_page`, `follow_page_pte`). It may be taken away again between the fault and
    /// the look: then it faults in once more. That it is to be written is not forgotten meanwhile, though a forced write finds no
    /// entry that allows it:
    ///
    /// ```text
    ///   c0 gup-forced, of a private page      c1 dontneed
    ///   faults to write: a copy comes
    ///   (looks from now on as if to read)
    ///                                         takes the copy away
    ///   faults to read: the object's page
    ///   pins it, and writes to the object
    /// ```
    ///
    /// (Linux 19be0eaffa3a, CVE-2016-5195.)
    fn gup_slow_page(&self, cpu: &Cpu<'_>, mm: &Mm, page: Vpn, want: Want) -> Result<Pfn, Failed> {
        let vmas = mm.mmap_lock.read(cpu);
        let may =
            |vma: &&Vma| vma.writable || !want.writes() || want == Want::ForcedWrite && vma.is_private();
        let vma = vmas.find(page).filter(may).ok_or(Failed::Fault)?;
        let mut want = want;
        loop {
            if let Some(pfn) = self.follow_page(cpu, mm, vma, page, want) {
                return Ok(pfn);
            }
            self.handle_mm_fault(cpu, mm, vma, page, want.writes())?;
            if want == Want::ForcedWrite && !self.protocol.does(Step::RetryKeepsWriteIntent) {
                want = Want::Read;
            }
        }
    }

    /// The page behind an address, pinned, if an entry leads to it that allows the access. The lock of the table keeps the page.
    fn follow_page(&self, cpu: &Cpu<'_>, mm: &Mm, vma: &Vma, page: Vpn, want: Want) -> Option<Pfn> {
        let upper = self.upper_entry(cpu, mm, page)?;
        let locked = self.lock_table(cpu, upper)?;
        let entry = cpu.load_entry(Word::new(locked.table, index(page.address(), 1)), 1);
        if !permits(entry, false) {
            return None;
        }
        let pfn = self.pv.pfn_of(entry.frame());
        let allowed = permits(entry, want.writes()) || want == Want::ForcedWrite && vma.owns(cpu, page, pfn);
        allowed.then(|| {
            self.counts.get(cpu, pfn);
            self.counts.pin(cpu, pfn);
            pfn
        })
    }

    /// Lets go of pinned pages.
    pub(crate) fn unpin_user_pages(&self, cpu: &Cpu<'_>, pins: Pins) {
        pins.pages.into_iter().for_each(|pfn| self.counts.unpin(self, cpu, pfn));
    }
}

fn permits(entry: Entry, writable: bool) -> bool {
    let wanted = Flags::PRESENT | Flags::USER_ACCESSIBLE;
    entry.has(if writable { wanted | Flags::WRITABLE } else { wanted })
}
