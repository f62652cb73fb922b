//! The callers of the kernel: drivers and file systems, who hold what they were given under the names of slots. Their
//! books are their own: no kernel code looks at them.

use crate::astray::Astray;
use crate::kernel::Kernel;
use crate::kernel_tables::MapError;
use crate::mm::Mm;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::Step;
use crate::table_pages::NotPinned;
use machine::{Bus, Cpu, Frame, PageFault, Word};
use oracle::vocabulary::{
    AreaSlot, BufferSlot, Call, Coherent, Device, MAX_PAGES, Mapping, MmCall, MmSlot, Operation, Outcome,
    Owned, PageList, PageSlot, Place, RamSlot, Range, Root, SEGMENT, SLOTS, Token, TreeSlot,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const N: usize = SLOTS as usize;

/// A page that a caller holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct HeldPage {
    pfn: Pfn,
    table: bool,
}

/// A mapping that a caller holds, or held last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct HeldMapping {
    range: Range,
    live: bool,
}

/// What a buffer consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct HeldBuffer {
    pages: PageList,
    /// What its driver was told, and told the device.
    told: Coherent,
}

/// A tree of tables that a caller holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct HeldTree {
    pages: PageList,
}

/// What the callers hold.
#[derive(Debug)]
pub struct Callers {
    pages: [Cell<Option<HeldPage>>; N],
    areas: [Cell<Option<HeldMapping>>; N],
    rams: [Cell<Option<HeldMapping>>; N],
    /// Where CPUs see the buffers.
    buffers: [Cell<Option<HeldMapping>>; N],
    held_buffers: [Cell<Option<HeldBuffer>>; N],
    trees: [Cell<Option<HeldTree>>; N],
    mms: [RefCell<Option<Rc<Mm>>>; N],
    pub(crate) astray: Astray,
}

impl Callers {
    /// They hold these pages, from slot 0 on, and no mapping.
    pub fn new(pages: impl Iterator<Item = Pfn>) -> Self {
        let callers = Self {
            pages: [const { Cell::new(None) }; N],
            areas: [const { Cell::new(None) }; N],
            rams: [const { Cell::new(None) }; N],
            buffers: [const { Cell::new(None) }; N],
            held_buffers: [const { Cell::new(None) }; N],
            trees: [const { Cell::new(None) }; N],
            mms: [const { RefCell::new(None) }; N],
            astray: Astray::default(),
        };
        for (slot, pfn) in callers.pages.iter().zip(pages) {
            slot.set(Some(HeldPage { pfn, table: false }));
        }
        callers
    }

    /// The page in a slot.
    pub fn page(&self, page: PageSlot) -> Option<Pfn> {
        self.pages[page.index()].get().map(|held| held.pfn)
    }

    fn mapping(&self, mapping: Mapping) -> &Cell<Option<HeldMapping>> {
        match mapping {
            Mapping::Area(area) => &self.areas[area.index()],
            Mapping::Ram(ram) => &self.rams[ram.index()],
            Mapping::Buffer(buffer) => &self.buffers[buffer.index()],
        }
    }

    /// Where a mapping lies.
    pub fn range(&self, mapping: Mapping) -> Option<Range> {
        self.mapping(mapping).get().filter(|held| held.live).map(|held| held.range)
    }

    /// Where a mapping lies, or lay last.
    pub fn last_range(&self, mapping: Mapping) -> Option<Range> {
        self.mapping(mapping).get().map(|held| held.range)
    }

    fn hold(&self, mapping: Mapping, range: Range) {
        self.mapping(mapping).set(Some(HeldMapping { range, live: true }));
    }

    fn let_go(&self, mapping: Mapping) {
        let held = self.mapping(mapping);
        held.set(held.get().map(|held| HeldMapping { live: false, ..held }));
    }

    /// Other pages stand behind the slots of a list.
    fn replace_pages(&self, list: &PageList, pages: &[Pfn]) {
        for (slot, pfn) in list.as_slice().iter().zip(pages) {
            self.pages[slot.index()].set(Some(HeldPage { pfn: *pfn, table: false }));
        }
    }

    /// The pages of a list, into a buffer; none if one of them is not held.
    fn pages<'b>(&self, list: &PageList, buffer: &'b mut [Pfn; MAX_PAGES]) -> Option<&'b mut [Pfn]> {
        for (slot, page) in buffer.iter_mut().zip(list.as_slice()) {
            *slot = self.page(*page)?;
        }
        Some(&mut buffer[..list.len()])
    }
}

pub(crate) fn failed(error: MapError) -> Outcome {
    match error {
        MapError::NoMemory => Outcome::NoMemory,
        MapError::Refused => Outcome::Refused,
        MapError::WouldSleep => Outcome::WouldSleep,
    }
}

pub(crate) fn not_pinned(error: NotPinned) -> Outcome {
    match error {
        NotPinned::WouldSleep => Outcome::WouldSleep,
        NotPinned::Refused => Outcome::Refused,
    }
}

impl<P: PvMmu> Kernel<P> {
    /// The machine frame behind a page that a caller holds.
    pub fn frame_of(&self, page: PageSlot) -> Option<Frame> {
        self.callers.page(page).map(|pfn| self.pv.frame_of(pfn))
    }

    /// Carries out what a caller asks for.
    pub(crate) fn call(&self, cpu: &Cpu<'_>, call: &Call) -> Outcome {
        let interrupts = call.irqs_off.then(|| cpu.irq_save());
        let outcome = self.attempt(cpu, call.operation).unwrap_or(Outcome::Void);
        if let Some(on) = interrupts {
            cpu.irq_restore(on);
        }
        outcome
    }

    /// `None` where a handle is missing that was never obtained.
    fn attempt(&self, cpu: &Cpu<'_>, operation: Operation) -> Option<Outcome> {
        match operation {
            Operation::AllocPage { page } => Some(self.alloc_page(cpu, page)),
            Operation::FreePage { page } => self.free_page(cpu, page),
            Operation::Vmap { pages, area } => self.map(cpu, &pages, Mapping::Area(area)),
            Operation::MapRam { pages, ram } => self.map(cpu, &pages, Mapping::Ram(ram)),
            Operation::Vunmap { area } => self.unmap(cpu, Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.unmap(cpu, Mapping::Ram(ram)),
            Operation::DrainAliases => Some(match self.vm_unmap_aliases(cpu) {
                Ok(()) => Outcome::Done,
                Err(_) => Outcome::WouldSleep,
            }),
            Operation::Read { place } => {
                let va = self.address(place)?;
                let value = self.retry_if_late(cpu, va, || cpu.read(va));
                Some(value.map_or(Outcome::Fault, |value| Outcome::Value(Token(value as u32))))
            }
            Operation::Write { place, token } => Some(self.write_at(cpu, self.address(place)?, token)),
            Operation::MakeTable { page } => self.make_table(cpu, page),
            Operation::UnmakeTable { page } => self.unmake_table(cpu, page),
            Operation::SetPageFlag { page } => {
                self.set_page_flag(cpu, self.callers.page(page)?);
                Some(Outcome::Done)
            }
            Operation::PinTree { pages, tree } => self.make_tree(cpu, &pages, tree),
            Operation::UnpinTree { tree } => self.unmake_tree(cpu, tree),
            Operation::TrackAliases => {
                self.track_aliases(cpu);
                Some(Outcome::Done)
            }
            Operation::Raw(call) => self.go_astray(cpu, call),
            Operation::Owned(owned) => self.attempt_owned(cpu, owned),
            Operation::Mm(call) => self.attempt_mm(cpu, call),
            Operation::DmaAlloc { pages, buffer, device } => self.dma_alloc(cpu, &pages, buffer, device),
            Operation::DmaFree { buffer } => self.dma_free(cpu, buffer),
            Operation::DeviceRead { .. } | Operation::DeviceWrite { .. } => {
                cpu.bug("a CPU is asked for what a device does")
            }
        }
    }

    /// A device does something, by the bus address that its driver gave it. No CPU takes part.
    pub fn device(&self, bus: &Bus, operation: Operation) -> Outcome {
        let word = |buffer: BufferSlot, page: u8| {
            self.callers.range(Mapping::Buffer(buffer))?;
            let held = self.callers.held_buffers[buffer.index()].get()?;
            let frame = held.told.bus().nth(page.into()).map(Frame)?;
            bus.memory.has(frame).then(|| Word::new(frame, 0))
        };
        match operation {
            Operation::DeviceRead { buffer, page } => word(buffer, page)
                .map_or(Outcome::Void, |word| Outcome::Value(Token(bus.device_read(word) as u32))),
            Operation::DeviceWrite { buffer, page, token } => {
                word(buffer, page).map_or(Outcome::Void, |word| {
                    bus.device_write(word, u64::from(token.0));
                    Outcome::Done
                })
            }
            _ => Outcome::Void,
        }
    }

    /// What is asked of areas that own their pages.
    fn attempt_owned(&self, cpu: &Cpu<'_>, owned: Owned) -> Option<Outcome> {
        Some(match owned {
            Owned::Vmalloc { count, area, huge } => {
                let made = if huge { self.vmalloc_huge(cpu, count) } else { self.vmalloc(cpu, count) };
                match made {
                    Ok(first) => {
                        let range = Range { start: first << 12, pages: count };
                        self.callers.hold(Mapping::Area(area), range);
                        Outcome::Mapped(range)
                    }
                    Err(error) => failed(error),
                }
            }
            Owned::SetMemory { area, access } => {
                let range = self.callers.range(Mapping::Area(area))?;
                self.set_memory(cpu, range.start >> 12, access);
                Outcome::Done
            }
            Owned::SetMemoryType { area, memory_type } => {
                let range = self.callers.range(Mapping::Area(area))?;
                self.set_memory_type(cpu, range.start >> 12, memory_type);
                Outcome::Done
            }
            Owned::Vfree { area } => {
                let range = self.callers.range(Mapping::Area(area))?;
                self.callers.let_go(Mapping::Area(area));
                self.vfree(cpu, range.start >> 12);
                Outcome::Done
            }
            Owned::Exec { place } => {
                let va = self.address(place)?;
                let fetched = self.retry_if_late(cpu, va, || cpu.fetch(va)).or_else(|fault| {
                    if self.spurious_fault(cpu, va, false) { cpu.fetch(va) } else { Err(fault) }
                });
                if fetched.is_ok() { Outcome::Done } else { Outcome::Fault }
            }
            Owned::ReadDirect { place } => {
                let value = cpu.read(self.direct_address(cpu, place)?);
                value.map_or(Outcome::Fault, |value| Outcome::Value(Token(value as u32)))
            }
            Owned::WriteDirect { place, token } => {
                self.write_at(cpu, self.direct_address(cpu, place)?, token)
            }
        })
    }

    /// What is asked of address spaces.
    fn attempt_mm(&self, cpu: &Cpu<'_>, call: MmCall) -> Option<Outcome> {
        let held = |mm: MmSlot| &self.callers.mms[mm.index()];
        Some(match call {
            MmCall::New { mm } => match self.new_mm(cpu) {
                Ok(made) => {
                    held(mm).replace(Some(made));
                    Outcome::Done
                }
                Err(error) => failed(error),
            },
            MmCall::Switch { to: Root::Init } => {
                self.switch_mm(cpu, None);
                Outcome::Done
            }
            MmCall::Switch { to: Root::Mm(mm) } => {
                let mm = held(mm).borrow().clone()?;
                self.switch_mm(cpu, Some(&mm));
                Outcome::Done
            }
            MmCall::Drop { mm } => {
                let mm = held(mm).take()?;
                self.drop_mm(cpu, &mm);
                Outcome::Done
            }
        })
    }

    /// An access that faults because the address space lags behind is tried again.
    fn retry_if_late<T>(
        &self,
        cpu: &Cpu<'_>,
        va: u64,
        access: impl Fn() -> Result<T, PageFault>,
    ) -> Result<T, PageFault> {
        access().or_else(
            |fault| {
                if !fault.protection && self.vmalloc_fault(cpu, va) { access() } else { Err(fault) }
            },
        )
    }

    fn write_at(&self, cpu: &Cpu<'_>, va: u64, token: Token) -> Outcome {
        let value = u64::from(token.0);
        let written = self.retry_if_late(cpu, va, || cpu.write(va, value)).or_else(|fault| {
            if self.spurious_fault(cpu, va, true) { cpu.write(va, value) } else { Err(fault) }
        });
        if written.is_ok() { Outcome::Done } else { Outcome::Fault }
    }

    /// Where a page that an area owns lies in the direct map.
    fn direct_address(&self, cpu: &Cpu<'_>, place: Place) -> Option<u64> {
        let range = self.callers.range(place.mapping)?;
        let Some(vm) = self.vm_struct(range.start >> 12) else { cpu.bug("the area owns no pages") };
        Some(self.direct.page_of(vm.pages()[usize::from(place.page)]) << 12)
    }

    fn address(&self, place: Place) -> Option<u64> {
        self.callers.range(place.mapping).map(|range| range.start + (u64::from(place.page) << 12))
    }

    fn alloc_page(&self, cpu: &Cpu<'_>, page: PageSlot) -> Outcome {
        match self.pages.alloc(&self.pv, cpu) {
            Some(pfn) => {
                self.callers.pages[page.index()].set(Some(HeldPage { pfn, table: false }));
                Outcome::Done
            }
            None => Outcome::NoMemory,
        }
    }

    fn free_page(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let held = self.callers.pages[page.index()].take()?;
        if self.protocol.does(Step::Canary) {
            self.pages.free(&self.pv, cpu, held.pfn);
        }
        Some(Outcome::Done)
    }

    fn map(&self, cpu: &Cpu<'_>, list: &PageList, mapping: Mapping) -> Option<Outcome> {
        let mut buffer = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(list, &mut buffer)?;
        let mapped = match mapping {
            Mapping::Area(_) => self.vmap(cpu, pages),
            Mapping::Ram(_) => self.vm_map_ram(cpu, pages),
            Mapping::Buffer(_) => cpu.bug("a buffer is allocated, and not mapped"),
        };
        Some(match mapped {
            Ok(first) => {
                let range = Range { start: first << 12, pages: pages.len() as u8 };
                self.callers.hold(mapping, range);
                Outcome::Mapped(range)
            }
            Err(error) => failed(error),
        })
    }

    fn unmap(&self, cpu: &Cpu<'_>, mapping: Mapping) -> Option<Outcome> {
        let range = self.callers.range(mapping)?;
        self.callers.let_go(mapping);
        match mapping {
            Mapping::Area(_) => self.vunmap(cpu, range.start >> 12),
            Mapping::Ram(_) => self.vm_unmap_ram(cpu, range.start >> 12, u64::from(range.pages)),
            Mapping::Buffer(_) => cpu.bug("a buffer is freed, and not unmapped"),
        }
        Some(Outcome::Done)
    }

    fn dma_alloc(
        &self,
        cpu: &Cpu<'_>,
        list: &PageList,
        buffer: BufferSlot,
        device: Device,
    ) -> Option<Outcome> {
        let mut storage = [Pfn(0); MAX_PAGES];
        let len = self.callers.pages(list, &mut storage)?.len();
        let pages = &mut storage[..len];
        let made = self.dma_alloc_coherent(cpu, pages, device);
        for (slot, pfn) in list.as_slice().iter().zip(&*pages) {
            self.callers.pages[slot.index()].set(Some(HeldPage { pfn: *pfn, table: false }));
        }
        Some(match made {
            Ok(first) => {
                let range = Range { start: first << 12, pages: len as u8 };
                let mut told = Coherent { range, segments: Default::default() };
                for (segment, bus) in pages.chunks(SEGMENT).zip(&mut told.segments) {
                    *bus = self.pv.frame_of(segment[0]).0;
                }
                self.callers.hold(Mapping::Buffer(buffer), range);
                self.callers.held_buffers[buffer.index()].set(Some(HeldBuffer { pages: *list, told }));
                Outcome::Buffer(told)
            }
            Err(error) => failed(error),
        })
    }

    fn dma_free(&self, cpu: &Cpu<'_>, buffer: BufferSlot) -> Option<Outcome> {
        let range = self.callers.range(Mapping::Buffer(buffer))?;
        let held = self.callers.held_buffers[buffer.index()].take()?;
        self.callers.let_go(Mapping::Buffer(buffer));
        let mut storage = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(&held.pages, &mut storage)?;
        self.dma_free_coherent(cpu, range.start >> 12, pages);
        Some(Outcome::Done)
    }

    /// A page becomes a page table. Where the platform allows tables no alias, none of it may be left (seed 004): an
    /// entry that was not cleared yet still counts as a writable mapping of the page.
    fn make_table(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let slot = &self.callers.pages[page.index()];
        let held = slot.get()?;
        let Ok(pfn) = self.table_page(cpu, held.pfn) else { return Some(Outcome::WouldSleep) };
        slot.set(Some(HeldPage { pfn, table: false }));
        cpu.clear_frame(self.pv.frame_of(pfn));
        Some(match self.pin_or_fix_up(cpu, || self.pv.pin_table(cpu, pfn)) {
            Ok(()) => {
                slot.set(Some(HeldPage { pfn, table: true }));
                Outcome::Done
            }
            Err(error) => not_pinned(error),
        })
    }

    /// Pages become the page tables of a process under construction.
    fn make_tree(&self, cpu: &Cpu<'_>, list: &PageList, tree: TreeSlot) -> Option<Outcome> {
        let mut buffer = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(list, &mut buffer)?;
        let pinned = self.pin_tree(cpu, pages);
        self.callers.replace_pages(list, pages);
        Some(match pinned {
            Ok(()) => {
                self.callers.trees[tree.index()].set(Some(HeldTree { pages: *list }));
                Outcome::Done
            }
            Err(error) => not_pinned(error),
        })
    }

    fn unmake_tree(&self, cpu: &Cpu<'_>, tree: TreeSlot) -> Option<Outcome> {
        let held = self.callers.trees[tree.index()].take()?;
        let mut buffer = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(&held.pages, &mut buffer)?;
        self.unpin_tree(cpu, pages);
        self.callers.replace_pages(&held.pages, pages);
        Some(Outcome::Done)
    }

    fn unmake_table(&self, cpu: &Cpu<'_>, page: PageSlot) -> Option<Outcome> {
        let held = self.callers.pages[page.index()].get().filter(|held| held.table)?;
        self.pv.unpin_table(cpu, held.pfn);
        cpu.clear_frame(self.pv.frame_of(held.pfn));
        let pfn = self.keep_clean_page(cpu, held.pfn);
        self.callers.pages[page.index()].set(Some(HeldPage { pfn, table: false }));
        Some(Outcome::Done)
    }

    /// The callers give back all that they hold.
    pub(crate) fn give_everything_back(&self, cpu: &Cpu<'_>) {
        self.come_back(cpu);
        for mm in (0..SLOTS).map(MmSlot::new) {
            self.attempt_mm(cpu, MmCall::Drop { mm });
        }
        for slot in 0..SLOTS {
            let area = AreaSlot::new(slot);
            let range = self.callers.range(Mapping::Area(area));
            if range.is_some_and(|range| self.vm_struct(range.start >> 12).is_some()) {
                self.attempt_owned(cpu, Owned::Vfree { area });
            } else {
                self.unmap(cpu, Mapping::Area(area));
            }
            self.unmap(cpu, Mapping::Ram(RamSlot::new(slot)));
        }
        for buffer in (0..SLOTS).map(BufferSlot::new) {
            self.dma_free(cpu, buffer);
        }
        for slot in (0..SLOTS).map(TreeSlot::new) {
            self.unmake_tree(cpu, slot);
        }
        self.end_process(cpu);
        for slot in (0..SLOTS).map(PageSlot::new) {
            self.unmake_table(cpu, slot);
            if let Some(held) = self.callers.pages[slot.index()].take() {
                self.pages.free(&self.pv, cpu, held.pfn);
            }
        }
    }
}
