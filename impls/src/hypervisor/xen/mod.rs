//! A hypervisor for paravirtual guests, after Xen's (`xen/arch/x86/mm.c`). Guests hold their own page tables, with machine
//! frames in them, and change them by hypercall only.
//!
//! It must never let a guest write to a page table or reach a frame of another owner, whatever the guest does and in
//! whatever order its CPUs do it. It counts references for that. `page_type.rs` has the types of frames, `validation.rs`
//! says what may become a table, and `flush.rs` deals with translations that outlive their entries. The hypervisor decides
//! by what it finds in memory at that moment, and never by what the guest says.

mod audit;
mod direct_map;
mod domain;
mod entry;
mod event;
mod exchange;
mod flush;
mod heap;
mod linear;
mod mmu;
mod mmuext;
mod multicall;
mod page_info;
mod page_type;
mod refusal;
mod table_lock;
mod tlb_clock;
mod type_info;
mod validation;

pub use domain::{
    DEVICE_LIMIT, GUEST, HEAP, HYPERVISOR, HYPERVISOR_FRAMES, OTHER_FRAMES, OTHER_GUEST, frame_list,
    machine_frames,
};
pub use entry::AccessedDirty;
pub use exchange::{Exchange, Exchanged};
pub use flush::Scope;
pub use linear::LINEAR_PCID;
pub use mmu::{MmuUpdate, Reach, UpdateFlush};
pub use mmuext::MmuExt;
pub use multicall::Call;
pub use refusal::Refusal;
pub use type_info::{CountInfo, PageType, TypeInfo};

use crate::protocol::Protocol;
use crate::sizes::Sizes;
use crate::sync::Lockdep;
use direct_map::DirectMap;
use event::EventChannels;
use flush::{FLUSH_VECTOR, Flush};
use heap::Heap;
use linear::LinearMap;
use machine::{Bus, Cpu, Frame, Interrupt};
use page_info::FrameTable;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use table_lock::TableLocks;

/// Room for the frames that the first tables of most guests lead to.
const MOST_HELD_AT_BOOT: usize = 16;

/// The hypervisor and the one guest that runs on it.
#[derive(Debug)]
pub struct Hypervisor {
    frames: FrameTable,
    locks: TableLocks,
    flush: Flush,
    heap: Heap,
    linear: LinearMap,
    direct: DirectMap,
    protocol: Rc<Protocol>,
    events: EventChannels,
    /// The root that the guest started on.
    boot_root: Cell<Option<Frame>>,
    /// The frames that the guest's first tables lead to, once for each entry that does: they stay mapped for good.
    held_at_boot: RefCell<Vec<Frame>>,
}

impl Hypervisor {
    /// The machine variables that it needs with a guest of this size.
    pub const fn vars(sizes: Sizes) -> u32 {
        let frames = machine_frames(sizes);
        FrameTable::vars(frames)
            + TableLocks::vars(frames)
            + Flush::VARS
            + Heap::VARS
            + LinearMap::VARS
            + DirectMap::VARS
            + EventChannels::VARS
    }

    /// Takes the machine and hands its memory out. Its locks know nothing of the guest's, so it has a lockdep of its own.
    pub fn boot(bus: &Bus, sizes: Sizes, protocol: &Rc<Protocol>) -> Self {
        let lockdep = Lockdep::new();
        let hypervisor = Self {
            frames: FrameTable::new(bus),
            locks: TableLocks::new(bus, &lockdep),
            flush: Flush::new(bus, sizes, protocol, &lockdep),
            heap: Heap::new(bus, &lockdep),
            linear: LinearMap::new(bus, &lockdep),
            direct: DirectMap::new(bus, protocol, &lockdep),
            protocol: Rc::clone(protocol),
            events: EventChannels::new(bus, &lockdep),
            boot_root: Cell::new(None),
            held_at_boot: RefCell::new(Vec::with_capacity(MOST_HELD_AT_BOOT)),
        };
        hypervisor.hand_out_memory(bus);
        hypervisor.direct.boot(bus);
        hypervisor
    }

    /// Takes an interrupt for the hypervisor.
    #[track_caller]
    pub fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        match interrupt.vector {
            FLUSH_VECTOR => self.flush.handle(cpu, interrupt.from),
            _ => cpu.bug("an interrupt that the hypervisor never sends itself"),
        }
    }

    /// Interrupts another CPU of the guest.
    #[track_caller]
    pub fn event_channel_send(&self, cpu: &Cpu<'_>, to: u8, vector: u8) {
        cpu.hypercall("event_channel_send", |cpu| self.events.send(cpu, to, vector));
    }

    /// The type of a frame and how many references hold it, while no CPU runs.
    pub fn type_info(&self, bus: &Bus, frame: Frame) -> TypeInfo {
        self.frames.type_now(bus, frame)
    }

    /// How many references there are to a frame, while no CPU runs.
    pub fn count_info(&self, bus: &Bus, frame: Frame) -> CountInfo {
        self.frames.count_now(bus, frame)
    }
}
