//! A guest gone astray (seed 004: "In case of an AWOL guest?"): its callers make hypercalls of their own, behind the
//! kernel's back, with pages that the kernel lays no claim to any more.
//!
//! What they pin they link into a window of the address space that is theirs alone, so that every CPU can walk there; they
//! flush nothing unless they ask for it. Whatever the hypervisor answers, the kernel's own books are not touched: all that
//! it must hold to is that it protects page tables and other domains, and that its references balance in the end.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu, RawCalls, Refusal};
use crate::pgtable::TABLE_FLAGS;
use machine::paging::{LEVELS, span};
use machine::{Cpu, Entry, Flags, Frame, Role, Word};
use oracle::vocabulary::{Outcome, PageSlot, RawAccess, RawEntry, RawFrame, SLOTS, TableEntry};
use std::cell::{Cell, RefCell};

/// The entry of the root under which the window lies, with those for pinned third-level tables behind it: nothing of the
/// kernel's is there.
const WINDOW: u16 = 300;

/// The address of the window.
const WINDOW_START: u64 = 0xffff << 48 | (WINDOW as u64) << 39;

/// What went astray.
#[derive(Debug, Default)]
pub struct Astray {
    /// The pages that were given up, a bit for each slot.
    pages: Cell<u16>,
    /// The pages whose frames are being exchanged, a bit for each slot: a caller that exchanges one twice at once would offer a
    /// frame that may be another domain's already.
    exchanging: Cell<u16>,
    /// The third- and second-level table that pinned tables are linked into.
    window: Cell<Option<Window>>,
    /// Pages that came back, and whose frames are to go.
    came_back: RefCell<Vec<Pfn>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    third: Pfn,
    second: Pfn,
}

impl<P: PvMmu> Kernel<P> {
    /// Makes a hypercall of a caller's own, to which these pages are given up. Without a hypervisor nothing is done.
    fn go_astray(
        &self,
        cpu: &Cpu<'_>,
        pages: impl IntoIterator<Item = PageSlot>,
        call: impl FnOnce(&dyn RawCalls) -> Option<Result<(), Refusal>>,
    ) -> Option<Outcome> {
        self.give_up(pages, |hypervisor| {
            Some(match call(hypervisor)? {
                Ok(()) => Outcome::Done,
                Err(refusal) => {
                    cpu.note(refusal.reason, refusal.subject);
                    Outcome::Refused
                }
            })
        })
    }

    /// What a caller left in a page is taken for an entry when it is pinned, and mostly refused.
    fn give_up(
        &self,
        pages: impl IntoIterator<Item = PageSlot>,
        call: impl FnOnce(&dyn RawCalls) -> Option<Outcome>,
    ) -> Option<Outcome> {
        let mut named = 0;
        for page in pages {
            self.callers.page(page)?;
            named |= 1 << page.number();
        }
        let Some(hypervisor) = self.pv.raw_calls() else { return Some(Outcome::Done) };
        let given_up = &self.callers.astray.pages;
        given_up.set(given_up.get() | named);
        call(hypervisor)
    }

    pub(crate) fn hv_update(&self, cpu: &Cpu<'_>, at: TableEntry, entry: RawEntry) -> Option<Outcome> {
        self.go_astray(cpu, [at.table].into_iter().chain(leads_to(entry)), |hypervisor| {
            let word = Word::new(self.raw_frame(at.table)?, at.index.into());
            Some(hypervisor.update(cpu, word, self.raw_entry(hypervisor, entry)?))
        })
    }

    pub(crate) fn hv_update_va(&self, cpu: &Cpu<'_>, at: TableEntry, entry: RawEntry) -> Option<Outcome> {
        self.go_astray(cpu, [at.table].into_iter().chain(leads_to(entry)), |hypervisor| {
            let entry = self.raw_entry(hypervisor, entry)?;
            let [lowest, second] = addresses(at.table, at.index);
            Some(match hypervisor.update_va(cpu, lowest, entry) {
                Err(refusal) if refusal.no_lowest_table => hypervisor.update_va(cpu, second, entry),
                result => result,
            })
        })
    }

    pub(crate) fn hv_pin(&self, cpu: &Cpu<'_>, page: PageSlot, level: u8) -> Option<Outcome> {
        self.go_astray(cpu, [page], |hypervisor| self.pin_and_link(hypervisor, cpu, page, level))
    }

    pub(crate) fn hv_unpin(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        self.go_astray(cpu, [page], |hypervisor| self.unlink_and_unpin(hypervisor, cpu, page))
    }

    /// Interrupts are off until the CPU is back: what it was in is not dropped before, and nothing of the kernel's runs where the
    /// kernel is not mapped.
    pub(crate) fn hv_load_root(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        self.go_astray(cpu, [page], |hypervisor| {
            let root = self.raw_frame(page)?;
            let interrupts = cpu.irq_save();
            let before = cpu.cr3().root;
            let loaded = hypervisor.load_root(cpu, root).and_then(|()| hypervisor.load_root(cpu, before));
            cpu.irq_restore(interrupts);
            Some(loaded)
        })
    }

    pub(crate) fn hv_flush(&self, cpu: &Cpu<'_>) -> Option<Outcome> {
        self.go_astray(cpu, [], |hypervisor| Some(hypervisor.flush_all(cpu)))
    }

    pub(crate) fn hv_write(&self, cpu: &Cpu<'_>, at: TableEntry) -> Option<Outcome> {
        self.give_up([at.table], |_| Some(write_through(cpu, at.table, at.index)))
    }

    pub(crate) fn hv_exchange(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        self.give_up([page], |hypervisor| self.exchange_astray(hypervisor, cpu, page))
    }

    /// Offers the frame of a page for one that devices reach. Others may be about to do something with the page all along.
    ///
    /// The words of pages that went astray name frames, in tables, in pages that are none yet, and in hypercalls on their way. So
    /// the frame must never be the kernel's again:
    ///
    /// ```text
    ///   a caller gone astray                  the kernel
    ///   writes an entry for the frame
    ///   into a page that is no table
    ///   exchanges the frame
    ///                                         gets it, for a page of data
    ///   pins the page: a table that leads to a page of the kernel's
    ///                                         is refused what it asks for that page
    /// ```
    fn exchange_astray(&self, hypervisor: &dyn RawCalls, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let pfn = self.callers.page(page)?;
        let (exchanging, bit) = (&self.callers.astray.exchanging, 1 << page.number());
        if exchanging.get() & bit != 0 {
            return Some(Outcome::NoMemory);
        }
        exchanging.set(exchanging.get() | bit);
        let outcome = match hypervisor.exchange(cpu, pfn, P::dma_limit(self.sizes)) {
            Ok(true) => Outcome::Done,
            Ok(false) => Outcome::NoMemory,
            Err(refusal) => {
                cpu.note(refusal.reason, refusal.subject);
                Outcome::Refused
            }
        };
        exchanging.set(exchanging.get() & !bit);
        Some(outcome)
    }

    fn raw_frame(&self, page: PageSlot) -> Option<Frame> {
        self.callers.page(page).map(|pfn| self.pv.frame_of(pfn))
    }

    fn raw_entry(&self, hypervisor: &dyn RawCalls, entry: RawEntry) -> Option<Entry> {
        Some(match entry {
            RawEntry::Empty => Entry::EMPTY,
            RawEntry::Leads { to, access } => {
                let frame = match to {
                    RawFrame::Page(page) => self.raw_frame(page)?,
                    RawFrame::Foreign => hypervisor.foreign_frame(),
                };
                let flags = match access {
                    RawAccess::Readable => Flags::PRESENT,
                    RawAccess::Writable => Flags::PRESENT | Flags::WRITABLE,
                    RawAccess::Large => Flags::PRESENT | Flags::WRITABLE | Flags::HUGE_PAGE,
                };
                Entry::new(frame, flags)
            }
        })
    }

    fn pin_and_link(
        &self,
        hypervisor: &dyn RawCalls,
        cpu: &Cpu<'_>,
        page: PageSlot,
        level: u8,
    ) -> Option<Result<(), Refusal>> {
        let frame = self.raw_frame(page)?;
        if let Err(refusal) = hypervisor.pin(cpu, frame, level) {
            return Some(Err(refusal));
        }
        // Pinned it is, whether there is a way to it or not.
        if let Some(window) = self.window(hypervisor, cpu)
            && let Some(word) = self.link(window, page, level)
        {
            let _ = hypervisor.update(cpu, word, Entry::new(frame, TABLE_FLAGS));
        }
        Some(Ok(()))
    }

    fn unlink_and_unpin(
        &self,
        hypervisor: &dyn RawCalls,
        cpu: &Cpu<'_>,
        page: PageSlot,
    ) -> Option<Result<(), Refusal>> {
        let frame = self.raw_frame(page)?;
        if let Some(window) = self.callers.astray.window.get() {
            self.unlink(hypervisor, cpu, window, page);
        }
        Some(hypervisor.unpin(cpu, frame))
    }

    /// The entry of the window, or beside it, that leads to a pinned table of this level.
    fn link(&self, window: Window, page: PageSlot, level: u8) -> Option<Word> {
        let slot = usize::from(page.number());
        match level {
            1 => Some(Word::new(self.pv.frame_of(window.second), slot)),
            2 => Some(Word::new(self.pv.frame_of(window.third), 1 + slot)),
            3 => Some(Word::new(self.tables.root(), usize::from(WINDOW) + 1 + slot)),
            _ => None,
        }
    }

    fn unlink(&self, hypervisor: &dyn RawCalls, cpu: &Cpu<'_>, window: Window, page: PageSlot) {
        for level in 1..LEVELS {
            if let Some(word) = self.link(window, page, level)
                && cpu.bus().memory.peek(word) != 0
            {
                let _ = hypervisor.update(cpu, word, Entry::EMPTY);
            }
        }
    }

    /// The tables of the window, which are made when the first is pinned.
    fn window(&self, hypervisor: &dyn RawCalls, cpu: &Cpu<'_>) -> Option<Window> {
        let made = &self.callers.astray.window;
        if made.get().is_some() {
            return made.get();
        }
        let third = self.alloc_page(cpu)?;
        let Some(second) = self.alloc_page(cpu) else {
            self.free_page(cpu, third);
            return None;
        };
        let window = Window { third, second };
        if made.get().is_some() {
            // Another CPU was faster.
            self.free_page(cpu, third);
            self.free_page(cpu, second);
            return made.get();
        }
        made.set(Some(window));
        let root = Word::new(self.tables.root(), WINDOW.into());
        let _ = hypervisor.update(cpu, root, self.pv.make_entry(third, TABLE_FLAGS));
        let within = Word::new(self.pv.frame_of(third), 0);
        let _ = hypervisor.update(cpu, within, self.pv.make_entry(second, TABLE_FLAGS));
        Some(window)
    }

    /// The guest is at its end, and the frames of what went astray go back to the hypervisor: all that it does not take stays
    /// in use although no domain uses it.
    pub(crate) fn give_up_frames(&self, cpu: &Cpu<'_>) {
        let Some(hypervisor) = self.pv.raw_calls() else { return };
        for pfn in self.callers.astray.came_back.take() {
            if let Err(refusal) = hypervisor.give_up(cpu, pfn) {
                cpu.note(refusal.reason, refusal.subject);
            }
        }
    }

    /// Everything that went astray comes back, as when the guest is destroyed: no entry leads there, nothing is pinned, no CPU
    /// remembers it.
    pub(crate) fn come_back(&self, cpu: &Cpu<'_>) {
        let astray = &self.callers.astray;
        let (Some(hypervisor), pages) = (self.pv.raw_calls(), astray.pages.take()) else { return };
        let window = astray.window.take();
        if pages == 0 {
            return;
        }
        // The way to what was unlinked before may be remembered still.
        let _ = hypervisor.flush_all(cpu);
        let slots = || (0..SLOTS).filter(|slot| pages & 1 << slot != 0).map(PageSlot::new);
        for page in slots() {
            if let Some(window) = window {
                self.unlink(hypervisor, cpu, window, page);
            }
            if let Some(frame) = self.raw_frame(page)
                && hypervisor.is_pinned(cpu.bus(), frame)
            {
                let _ = hypervisor.unpin(cpu, frame);
            }
        }
        if window.is_some() {
            let root = Word::new(self.tables.root(), WINDOW.into());
            let _ = hypervisor.update(cpu, root, Entry::EMPTY);
        }
        let _ = hypervisor.flush_all(cpu);
        for pfn in slots().filter_map(|page| self.callers.page(page)) {
            cpu.set_role(self.pv.frame_of(pfn), Role::Data);
            astray.came_back.borrow_mut().push(pfn);
        }
        for pfn in window.into_iter().flat_map(|window| [window.third, window.second]) {
            self.free_page(cpu, pfn);
        }
    }
}

/// The address that is translated by an entry of a table, if that is linked as one of the lowest level; and the first below
/// the entry, if it is linked as one above.
pub fn addresses(table: PageSlot, index: u8) -> [u64; 2] {
    let (slot, index) = (u64::from(table.number()), u64::from(index));
    let lowest = WINDOW_START + slot * span(2) + index * span(1);
    let second = WINDOW_START + (1 + slot) * span(3) + index * span(2);
    [lowest, second]
}

/// Writes to the page behind an entry of a table, and if there is no way to it as one of the lowest level, to the page
/// behind the first entry of the table that it leads to.
fn write_through(cpu: &Cpu<'_>, table: PageSlot, index: u8) -> Outcome {
    // What is written makes no entry, should it get where it must not.
    if addresses(table, index).into_iter().any(|va| cpu.write(va, 2).is_ok()) {
        Outcome::Done
    } else {
        Outcome::Fault
    }
}

/// The page that an entry leads to.
fn leads_to(entry: RawEntry) -> Option<PageSlot> {
    match entry {
        RawEntry::Leads { to: RawFrame::Page(page), .. } => Some(page),
        RawEntry::Leads { to: RawFrame::Foreign, .. } | RawEntry::Empty => None,
    }
}
