//! What the hypervisor knows of each frame, and the total references to it.
//!
//! Each present entry of a validated table, each pin and each CPU's base pointer holds one total reference to the frame
//! that it leads to. Allocation to a domain is one more. A frame whose count is not 0 keeps its owner. CPUs change these
//! words by locked compare-and-exchange only, and never under a lock: a loop replaces exactly the value that it decided on.

use super::domain::GUEST;
use super::refusal::Refusal;
use super::type_info::{CountInfo, TypeInfo};
use crate::family;
use machine::{Bus, Cpu, Frame, Var, VarArray};
use std::ops::Range;

/// Both words of every frame of the machine (`frame_table`).
#[derive(Debug)]
pub(super) struct FrameTable {
    counts: VarArray,
    types: VarArray,
}

impl FrameTable {
    /// The variables that it needs for this many frames.
    pub(super) const fn vars(frames: u32) -> u32 {
        2 * frames
    }

    /// No frame is allocated.
    pub(super) fn new(bus: &Bus) -> Self {
        let frames = bus.memory.frames() as usize;
        Self {
            counts: bus.memory.vars(family::COUNT_INFO, frames),
            types: bus.memory.vars(family::TYPE_INFO, frames),
        }
    }

    pub(super) fn count_info(&self, frame: Frame) -> Var {
        self.counts.at(frame.index())
    }

    pub(super) fn type_info(&self, frame: Frame) -> Var {
        self.types.at(frame.index())
    }

    /// Allocates these frames to their owners at boot.
    pub(super) fn allocate_at_boot(&self, bus: &Bus, frames: Range<u32>) {
        let frames = frames.start as usize..frames.end as usize;
        bus.memory.set_values(self.counts, frames, CountInfo::ALLOCATED.0);
    }

    /// The frames from this one on that are in use: their words show a type, a reference beyond their allocation, or no
    /// allocation. Reads memory while no CPU changes it.
    pub(super) fn in_use_now(&self, bus: &Bus, first: u32) -> impl Iterator<Item = (Frame, TypeInfo)> {
        let words = |of| bus.memory.values(of, first as usize..self.counts.len());
        let both = words(self.types).zip(words(self.counts)).zip(first..);
        both.filter(|((info, count), _)| (*info, *count) != (TypeInfo::NONE.0, CountInfo::ALLOCATED.0))
            .map(|((info, _), number)| (Frame(number), TypeInfo(info)))
    }

    /// The references to a frame as memory has them, while no CPU changes them.
    pub(super) fn count_now(&self, bus: &Bus, frame: Frame) -> CountInfo {
        CountInfo(bus.memory.value(self.count_info(frame)))
    }

    /// The type of a frame as memory has it, while no CPU changes it.
    pub(super) fn type_now(&self, bus: &Bus, frame: Frame) -> TypeInfo {
        TypeInfo(bus.memory.value(self.type_info(frame)))
    }

    /// Takes a total reference to a frame of the guest (`get_page`).
    #[track_caller]
    pub(super) fn get_page(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        if frame.0 >= cpu.bus().memory.frames() {
            return Err(Refusal::NoSuchFrame(frame));
        }
        let var = self.count_info(frame);
        let mut seen = cpu.load(var);
        loop {
            // A frame on its way to the heap has no reference left, and no CPU may take one.
            if CountInfo(seen).count() == 0 {
                return Err(match cpu.bus().memory.owner(frame) {
                    GUEST => Refusal::Unallocated(frame),
                    _ => Refusal::ForeignFrame(frame),
                });
            }
            match cpu.compare_exchange(var, seen, seen + 1) {
                Ok(()) => break,
                Err(now) => seen = now,
            }
        }
        // Only now: the owner could change until the reference was taken.
        if cpu.bus().memory.owner(frame) != GUEST {
            self.put_page(cpu, frame);
            return Err(Refusal::ForeignFrame(frame));
        }
        Ok(())
    }

    /// Drops a total reference (`put_page`).
    #[track_caller]
    pub(super) fn put_page(&self, cpu: &Cpu<'_>, frame: Frame) {
        let var = self.count_info(frame);
        let mut seen = cpu.load(var);
        loop {
            if CountInfo(seen).count() <= u32::from(CountInfo(seen).allocated()) {
                cpu.bug("the reference of an allocated frame is dropped, and nobody gave the frame back");
            }
            match cpu.compare_exchange(var, seen, seen - 1) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }
}
