//! The callers of the kernel: drivers and file systems, who hold what they were given under the names of slots. Their
//! books are their own: no kernel code looks at them.

mod access;
pub mod astray;
mod buffers;
mod mappings;
mod mms;
mod objects;
mod own_pages;
mod pages;
mod tables;
mod user;

use user::Path;

use crate::dma::Device;
use crate::kernel::Kernel;
use crate::mm::Object;
use crate::mm::{Mm, Pins};
use crate::paravirt::{Pfn, PvMmu};
use crate::pinning::NotPinned;
use crate::table_pages::MapError;
use crate::user_layout;
use crate::vpn::Vpn;
use astray::Astray;
use machine::{Cpu, Frame};
use oracle::vocabulary::{
    Access, AreaSlot, BufferSlot, Call, Coherent, MAX_PAGES, Mapping, MemoryType, MmSlot, ObjectSlot,
    Operation, Outcome, PageList, PageSlot, PinSlot, RamSlot, Range, SLOTS, TreeSlot,
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
    objects: [RefCell<Option<Rc<Object>>>; N],
    pins: [RefCell<Option<Pins>>; N],
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
            objects: [const { RefCell::new(None) }; N],
            pins: [const { RefCell::new(None) }; N],
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

/// The answer to a caller whose pages were not mapped.
fn failed(error: MapError) -> Outcome {
    match error {
        MapError::NoMemory => Outcome::NoMemory,
        MapError::Refused => Outcome::Refused,
        MapError::WouldSleep => Outcome::WouldSleep,
    }
}

/// The answer to a caller whose pages were to become tables.
pub(crate) fn pinned(pinned: Result<(), NotPinned>) -> Outcome {
    match pinned {
        Ok(()) => Outcome::Done,
        Err(NotPinned::WouldSleep) => Outcome::WouldSleep,
        Err(NotPinned::Refused) => Outcome::Refused,
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

    /// One arm an operation: the call into the kernel. `None` where a handle is missing that was never obtained.
    fn attempt(&self, cpu: &Cpu<'_>, operation: Operation) -> Option<Outcome> {
        match operation {
            Operation::AllocPage { page } => Some(self.get_page(cpu, page)),
            Operation::FreePage { page } => self.drop_page(cpu, page),
            Operation::SetPageFlag { page } => {
                self.table_pages.flags.set_owner(self, cpu, self.callers.page(page)?);
                done(())
            }
            Operation::Vmap { pages, area } => {
                self.map(&pages, Mapping::Area(area), |pages| self.vmap(cpu, pages))
            }
            Operation::MapRam { pages, ram } => {
                self.map(&pages, Mapping::Ram(ram), |pages| self.vm_map_ram(cpu, pages))
            }
            Operation::Vunmap { area } => {
                self.unmap(Mapping::Area(area), |range| self.vunmap(cpu, Vpn::of(range.start)))
            }
            Operation::UnmapRam { ram } => self.unmap(Mapping::Ram(ram), |range| {
                self.vm_unmap_ram(cpu, Vpn::of(range.start), u64::from(range.pages));
            }),
            Operation::DrainAliases {} => Some(match self.vm_unmap_aliases(cpu) {
                Ok(()) => Outcome::Done,
                Err(_) => Outcome::WouldSleep,
            }),
            Operation::TrackAliases {} => {
                self.table_pages.aliases.switch_on(cpu);
                done(())
            }
            Operation::Read { place } => self.read(cpu, place),
            Operation::Write { place, token } => self.write(cpu, place, token),
            Operation::Exec { place } => self.exec(cpu, place),
            Operation::ReadDirect { page } => self.read_direct(cpu, page),
            Operation::WriteDirect { page, token } => self.write_direct(cpu, page, token),
            Operation::MakeTable { page } => self.make_table(cpu, page),
            Operation::UnmakeTable { page } => self.unmake_table(cpu, page),
            Operation::PinTree { pages, tree } => self.make_tree(cpu, &pages, tree),
            Operation::UnpinTree { tree } => self.unmake_tree(cpu, tree),
            Operation::DmaAlloc { pages, buffer } => self.dma_alloc(cpu, &pages, buffer, Device::Narrow),
            Operation::DmaAllocWide { pages, buffer } => self.dma_alloc(cpu, &pages, buffer, Device::Wide),
            Operation::DmaFree { buffer } => self.dma_free(cpu, buffer),
            Operation::DeviceRead { .. } | Operation::DeviceWrite { .. } => {
                cpu.bug("a CPU is asked for what a device does")
            }
            Operation::Vmalloc { count, area } => self.own(area, count, self.vmalloc(cpu, count.0)),
            Operation::VmallocHuge { count, area } => self.own(area, count, self.vmalloc_huge(cpu, count.0)),
            Operation::SetMemoryRo { area } => self.allow(cpu, area, Access::ReadOnly),
            Operation::SetMemoryRox { area } => self.allow(cpu, area, Access::ReadExecute),
            Operation::SetMemoryRw { area } => self.allow(cpu, area, Access::ReadWrite),
            Operation::SetMemoryWc { area } => self.cache(cpu, area, MemoryType::WriteCombining),
            Operation::SetMemoryWb { area } => self.cache(cpu, area, MemoryType::WriteBack),
            Operation::Vfree { area } => {
                self.unmap(Mapping::Area(area), |range| self.vfree(cpu, Vpn::of(range.start)))
            }
            Operation::NewMm { mm } => Some(self.make_mm(cpu, mm)),
            Operation::SwitchMm { to } => self.enter_mm(cpu, to),
            Operation::DropMm { mm } => self.leave_mm(cpu, mm),
            Operation::HvUpdate { at, entry } => self.hv_update(cpu, at, entry),
            Operation::HvUpdateVa { at, entry } => self.hv_update_va(cpu, at, entry),
            Operation::HvPin { page, level } => self.hv_pin(cpu, page, level.0),
            Operation::HvUnpin { page } => self.hv_unpin(cpu, page),
            Operation::HvExchange { page } => self.hv_exchange(cpu, page),
            Operation::HvWrite { at } => self.hv_write(cpu, at),
            Operation::HvFlush {} => self.hv_flush(cpu),
            Operation::NewObject { count, object } => self.make_object(cpu, count, object),
            Operation::DropObject { object } => self.let_go_of(cpu, object),
            Operation::HvLoadRoot { page } => self.hv_load_root(cpu, page),
            Operation::Mmap { at, what, access } => self.map_user(cpu, at, what, access),
            Operation::Munmap { at } => self.as_thread(cpu, at.mm, |mm| {
                self.munmap(cpu, mm, user_layout::range(at));
                Outcome::Done
            }),
            Operation::Mprotect { at, access } => self.as_thread(cpu, at.mm, |mm| {
                self.mprotect(cpu, mm, user_layout::range(at), access.writes());
                Outcome::Done
            }),
            Operation::Dontneed { at } => self.as_thread(cpu, at.mm, |mm| {
                self.dontneed(cpu, mm, user_layout::range(at));
                Outcome::Done
            }),
            Operation::Load { at } => self.load_user(cpu, at),
            Operation::Store { at, token } => self.store_user(cpu, at, token),
            Operation::GupFast { at, access, pins } => self.pin_user(cpu, at, access, pins, Path::Fast),
            Operation::Gup { at, access, pins } => self.pin_user(cpu, at, access, pins, Path::Slow),
            Operation::GupForced { at, pins } => {
                self.pin_user(cpu, at, oracle::vocabulary::UserAccess::Writable, pins, Path::Forced)
            }
            Operation::CopyFromUser { at } => self.copy_from(cpu, at),
            Operation::CopyToUser { at, token } => self.copy_to(cpu, at, token),
            Operation::PinRead { at } => self.read_pinned(cpu, at),
            Operation::PinWrite { at, token } => self.write_pinned(cpu, at, token),
            Operation::Unpin { pins } => self.let_go_of_pins(cpu, pins),
            Operation::Mremap { at, to } => self.move_user(cpu, at, to),
            Operation::Reclaim { object } => self.take_out_of_memory(cpu, object),
            Operation::FreeTables { at } => self.as_thread(cpu, at.mm, |mm| {
                self.free_empty_tables(cpu, mm, user_layout::range(at));
                Outcome::Done
            }),
        }
    }

    /// The callers give back all that they hold.
    pub(crate) fn give_everything_back(&self, cpu: &Cpu<'_>) {
        self.come_back(cpu);
        for pins in (0..SLOTS).map(PinSlot::new) {
            self.let_go_of_pins(cpu, pins);
        }
        for mm in (0..SLOTS).map(MmSlot::new) {
            self.leave_mm(cpu, mm);
        }
        for object in (0..SLOTS).map(ObjectSlot::new) {
            self.let_go_of(cpu, object);
        }
        for slot in 0..SLOTS {
            let area = AreaSlot::new(slot);
            let range = self.callers.range(Mapping::Area(area));
            if range.is_some_and(|range| self.vm_struct(Vpn::of(range.start)).is_some()) {
                self.attempt(cpu, Operation::Vfree { area });
            } else {
                self.attempt(cpu, Operation::Vunmap { area });
            }
            self.attempt(cpu, Operation::UnmapRam { ram: RamSlot::new(slot) });
        }
        for buffer in (0..SLOTS).map(BufferSlot::new) {
            self.dma_free(cpu, buffer);
        }
        for tree in (0..SLOTS).map(TreeSlot::new) {
            self.unmake_tree(cpu, tree);
        }
        self.end_process(cpu);
        for page in (0..SLOTS).map(PageSlot::new) {
            self.unmake_table(cpu, page);
            self.give_back_page(cpu, page);
        }
    }
}

/// Nothing can go wrong with it.
#[expect(clippy::unnecessary_wraps, reason = "an answer like those that may be missing")]
fn done((): ()) -> Option<Outcome> {
    Some(Outcome::Done)
}
