//! A guest gone astray (seed 004: "In case of an AWOL guest?"): its callers make hypercalls of their own, behind the
//! kernel's back, with pages that the kernel lays no claim to any more.
//!
//! What they pin they link into a window of the address space that is theirs alone, so that every CPU can walk there; they
//! flush nothing unless they ask for it. Whatever the hypervisor answers, the kernel's own books are not touched: all that
//! it must hold to is that it protects page tables and other domains, and that its references balance in the end.

use crate::hypervisor::xen::{
    AccessedDirty, Exchange, HYPERVISOR_FRAMES, Hypervisor, MmuExt, MmuUpdate, Refusal, UpdateFlush,
};
use crate::kernel::Kernel;
use crate::kernel_tables::TABLE_FLAGS;
use crate::paravirt::{Pfn, PvMmu};
use machine::paging::{LEVELS, span};
use machine::{Cpu, Entry, Flags, Frame, Role, Word};
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{Outcome, PageSlot, SLOTS};
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
    /// The pages whose frames are being exchanged, a bit for each slot: who exchanges one twice at once would offer a frame that
    /// may be somebody else's already.
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
    /// Makes a hypercall of a caller's own. Without a hypervisor nothing is done.
    pub(crate) fn go_astray(&self, cpu: &Cpu<'_>, call: RawCall) -> Option<Outcome> {
        for page in call.pages() {
            self.callers.page(page)?;
        }
        let Some(hypervisor) = self.pv.beneath() else { return Some(Outcome::Done) };
        // What a caller left in a page is taken for an entry when it is pinned, and mostly refused.
        let given_up = &self.callers.astray.pages;
        given_up.set(call.pages().fold(given_up.get(), |pages, page| pages | 1 << page.number()));
        let result = match call {
            RawCall::Update { table, index, entry } => {
                let word = Word::new(self.raw_frame(table)?, index.into());
                set(hypervisor, cpu, word, self.raw_entry(entry)?)
            }
            RawCall::UpdateVa { table, index, entry } => {
                let entry = self.raw_entry(entry)?;
                let [lowest, second] = addresses(table, index);
                let set = |va| hypervisor.update_va_mapping(cpu, va, entry, UpdateFlush::None);
                match set(lowest) {
                    Err(Refusal::NoLowestTable { .. }) => set(second),
                    result => result,
                }
            }
            RawCall::Pin { page, level } => self.pin_and_link(hypervisor, cpu, page, level)?,
            RawCall::Unpin { page } => self.unlink_and_unpin(hypervisor, cpu, page)?,
            RawCall::Exchange { page } => return self.exchange_astray(hypervisor, cpu, page),
            RawCall::Write { table, index } => return Some(write_through(cpu, table, index)),
            RawCall::Flush => hypervisor.mmuext_op(cpu, MmuExt::TlbFlushAll),
        };
        Some(match result {
            Ok(()) => Outcome::Done,
            Err(refusal) => {
                cpu.note(refusal.reason(), refusal.subject());
                Outcome::Refused
            }
        })
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
    fn exchange_astray(&self, hypervisor: &Hypervisor, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let pfn = self.callers.page(page)?;
        let (exchanging, bit) = (&self.callers.astray.exchanging, 1 << page.number());
        if exchanging.get() & bit != 0 {
            return Some(Outcome::NoMemory);
        }
        exchanging.set(exchanging.get() | bit);
        let (offered, mut given) = ([self.pv.frame_of(pfn)], [Frame(0)]);
        let exchange =
            Exchange { offered: &offered, segment: 1, below: Some(P::dma_limit(self.sizes)), for_good: true };
        let exchanged = hypervisor.memory_exchange(cpu, exchange, &mut given);
        let outcome = match exchanged.refusal {
            Some(refusal) => {
                cpu.note(refusal.reason(), refusal.subject());
                Outcome::Refused
            }
            None if exchanged.frames == 0 => Outcome::NoMemory,
            None => {
                self.pv.has_frame(pfn, Some(given[0]));
                Outcome::Done
            }
        };
        exchanging.set(exchanging.get() & !bit);
        Some(outcome)
    }

    fn raw_frame(&self, page: PageSlot) -> Option<Frame> {
        self.callers.page(page).map(|pfn| self.pv.frame_of(pfn))
    }

    fn raw_entry(&self, entry: RawEntry) -> Option<Entry> {
        Some(match entry {
            RawEntry::Empty => Entry::EMPTY,
            RawEntry::Leads { to, access } => {
                let frame = match to {
                    RawFrame::Page(page) => self.raw_frame(page)?,
                    RawFrame::Foreign => Frame(HYPERVISOR_FRAMES),
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
        hypervisor: &Hypervisor,
        cpu: &Cpu<'_>,
        page: PageSlot,
        level: u8,
    ) -> Option<Result<(), Refusal>> {
        let frame = self.raw_frame(page)?;
        if let Err(refusal) = hypervisor.mmuext_op(cpu, MmuExt::PinTable { frame, level }) {
            return Some(Err(refusal));
        }
        // Pinned it is, whether there is a way to it or not.
        if let Some(window) = self.window(hypervisor, cpu)
            && let Some(word) = self.link(window, page, level)
        {
            let _ = set(hypervisor, cpu, word, Entry::new(frame, TABLE_FLAGS));
        }
        Some(Ok(()))
    }

    fn unlink_and_unpin(
        &self,
        hypervisor: &Hypervisor,
        cpu: &Cpu<'_>,
        page: PageSlot,
    ) -> Option<Result<(), Refusal>> {
        let frame = self.raw_frame(page)?;
        if let Some(window) = self.callers.astray.window.get() {
            self.unlink(hypervisor, cpu, window, page);
        }
        Some(hypervisor.mmuext_op(cpu, MmuExt::UnpinTable { frame }))
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

    fn unlink(&self, hypervisor: &Hypervisor, cpu: &Cpu<'_>, window: Window, page: PageSlot) {
        for level in 1..LEVELS {
            if let Some(word) = self.link(window, page, level)
                && cpu.bus().memory.peek(word) != 0
            {
                let _ = set(hypervisor, cpu, word, Entry::EMPTY);
            }
        }
    }

    /// The tables of the window, which are made when the first is pinned.
    fn window(&self, hypervisor: &Hypervisor, cpu: &Cpu<'_>) -> Option<Window> {
        let made = &self.callers.astray.window;
        if made.get().is_some() {
            return made.get();
        }
        let third = self.pages.alloc(&self.pv, cpu)?;
        let Some(second) = self.pages.alloc(&self.pv, cpu) else {
            self.pages.free(&self.pv, cpu, third);
            return None;
        };
        let window = Window { third, second };
        if made.get().is_some() {
            // Another CPU was faster.
            self.pages.free(&self.pv, cpu, third);
            self.pages.free(&self.pv, cpu, second);
            return made.get();
        }
        made.set(Some(window));
        let root = Word::new(self.tables.root(), WINDOW.into());
        let _ = set(hypervisor, cpu, root, self.pv.make_entry(third, TABLE_FLAGS));
        let within = Word::new(self.pv.frame_of(third), 0);
        let _ = set(hypervisor, cpu, within, self.pv.make_entry(second, TABLE_FLAGS));
        Some(window)
    }

    /// The guest is at its end, and the frames of what went astray go back to the hypervisor: all that it does not take stays
    /// in use although nobody uses it.
    pub(crate) fn give_up_frames(&self, cpu: &Cpu<'_>) {
        let Some(hypervisor) = self.pv.beneath() else { return };
        for pfn in self.callers.astray.came_back.take() {
            let frame = self.pv.frame_of(pfn);
            match hypervisor.decrease_reservation(cpu, frame) {
                Ok(()) => self.pv.has_frame(pfn, None),
                Err(refusal) => cpu.note(refusal.reason(), refusal.subject()),
            }
        }
    }

    /// Everything that went astray comes back, as when the guest is destroyed: no entry leads there, nothing is pinned, no CPU
    /// remembers it.
    pub(crate) fn come_back(&self, cpu: &Cpu<'_>) {
        let astray = &self.callers.astray;
        let (Some(hypervisor), pages) = (self.pv.beneath(), astray.pages.take()) else { return };
        let window = astray.window.take();
        if pages == 0 {
            return;
        }
        // The way to what was unlinked before may be remembered still.
        let _ = hypervisor.mmuext_op(cpu, MmuExt::TlbFlushAll);
        let slots = || (0..SLOTS).filter(|slot| pages & 1 << slot != 0).map(PageSlot::new);
        for page in slots() {
            if let Some(window) = window {
                self.unlink(hypervisor, cpu, window, page);
            }
            if let Some(frame) = self.raw_frame(page)
                && hypervisor.type_info(cpu.bus(), frame).pinned()
            {
                let _ = hypervisor.mmuext_op(cpu, MmuExt::UnpinTable { frame });
            }
        }
        if window.is_some() {
            let root = Word::new(self.tables.root(), WINDOW.into());
            let _ = set(hypervisor, cpu, root, Entry::EMPTY);
        }
        let _ = hypervisor.mmuext_op(cpu, MmuExt::TlbFlushAll);
        for pfn in slots().filter_map(|page| self.callers.page(page)) {
            cpu.set_role(self.pv.frame_of(pfn), Role::Data);
            astray.came_back.borrow_mut().push(pfn);
        }
        for pfn in window.into_iter().flat_map(|window| [window.third, window.second]) {
            self.pages.free(&self.pv, cpu, pfn);
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

fn set(hypervisor: &Hypervisor, cpu: &Cpu<'_>, word: Word, entry: Entry) -> Result<(), Refusal> {
    hypervisor.mmu_update(cpu, MmuUpdate { word, entry, bits: AccessedDirty::AsGiven })
}
