//! The hypercall `memory_exchange`: a guest gives frames of its own for others, contiguous and below a limit, or for any.
//!
//! The hypervisor goes segment by segment. It exchanges a segment whole or not at all, and ends the call at the first that
//! it cannot exchange. It tells the guest how many frames it exchanged; the guest keeps what it offered beyond them.
//!
//! The hypervisor takes a frame only if the frame is the guest's and nothing refers to it but its allocation: no entry, no
//! pin, no base pointer, and no CPU that is about to make one of these. So it takes an extra reference, which keeps the
//! owner from changing. Then it drops both in one step, if they are the only ones. Only then does it change the owner
//! (XSA-287, Xen commit 3d4868a481). In two steps another CPU comes in between:
//!
//! ```text
//!   c0 exchanges the frame                c1 maps it
//!   references: its allocation and ours
//!                                         takes a reference: the frame is the guest's
//!   drops both, gives the frame away
//!                                         sets an entry: to a frame of another owner
//! ```

use super::Hypervisor;
use super::domain::{GUEST, HEAP};
use super::heap::FreeFrame;
use super::refusal::Refusal;
use super::type_info::{CountInfo, TypeInfo};
use crate::protocol::Step;
use machine::{Cpu, Frame, Role};

/// What the guest offers, and what it wants for it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The guest's frames.
    pub offered: &'a [Frame],
    /// Frames of a segment, at least 1; the last segment may be shorter.
    pub segment: usize,
    /// Contiguous frames below this one for each segment; or any frames, one by one.
    pub below: Option<u32>,
    /// The guest never gets back what it offers: for callers that may have kept the numbers of frames.
    pub for_good: bool,
}

/// How far an exchange came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchanged {
    /// How many frames were exchanged, from the first on.
    pub frames: usize,
    /// Why it ended there; `None` if it exchanged all, or ran out of memory.
    pub refusal: Option<Refusal>,
}

impl Hypervisor {
    /// Exchanges frames. Writes the new ones, zeroed, to `given`, in the places of the old.
    pub fn memory_exchange(&self, cpu: &Cpu<'_>, exchange: Exchange<'_>, given: &mut [Frame]) -> Exchanged {
        cpu.hypercall("memory_exchange", |cpu| {
            let mut frames = 0;
            for segment in
                exchange.offered.chunks(if exchange.below.is_some() { exchange.segment } else { 1 })
            {
                match self.exchange_segment(cpu, segment, &exchange, &mut given[frames..]) {
                    Ok(true) => frames += segment.len(),
                    Ok(false) => return Exchanged { frames, refusal: None },
                    Err(refusal) => return Exchanged { frames, refusal: Some(refusal) },
                }
            }
            Exchanged { frames, refusal: None }
        })
    }

    /// Takes a frame back (`decrease_reservation`), if nothing refers to it but its allocation.
    pub fn decrease_reservation(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        cpu.hypercall("decrease_reservation", |cpu| {
            self.steal_page(cpu, frame)?;
            self.give_to_heap(cpu, frame, false);
            Ok(())
        })
    }

    /// Exchanges one segment. Returns whether there were frames for it. If there were none, or it was refused, nothing has
    /// changed.
    fn exchange_segment(
        &self,
        cpu: &Cpu<'_>,
        offered: &[Frame],
        exchange: &Exchange<'_>,
        given: &mut [Frame],
    ) -> Result<bool, Refusal> {
        for (stolen, &frame) in offered.iter().enumerate() {
            if let Err(refusal) = self.steal_page(cpu, frame) {
                self.put_back(cpu, &offered[..stolen]);
                return Err(refusal);
            }
        }
        let taken = match exchange.below {
            Some(limit) => self.heap.take_run(cpu, offered.len(), limit),
            None => self.heap.take_any(self, cpu).map(|free| vec![free]),
        };
        let Some(taken) = taken else {
            self.put_back(cpu, offered);
            return Ok(false);
        };
        for (free, place) in taken.into_iter().zip(given) {
            self.clean(cpu, free);
            self.assign_page(cpu, free.frame);
            *place = free.frame;
        }
        for &frame in offered {
            self.give_to_heap(cpu, frame, exchange.for_good);
        }
        Ok(true)
    }

    /// Takes a frame from the guest (`steal_page`).
    fn steal_page(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        self.frames.get_page(cpu, frame)?;
        let (count, both) = (self.frames.count_info(frame), CountInfo::ALLOCATED.0 + 1);
        let alone = if self.protocol.does(Step::StealInOneStep) {
            cpu.compare_exchange(count, both, 0).is_ok()
        } else {
            let alone = cpu.load(count) == both;
            if alone {
                cpu.swap(count, 0);
            }
            alone
        };
        if !alone {
            self.frames.put_page(cpu, frame);
            return Err(Refusal::StillReferred(frame));
        }
        cpu.bus().memory.set_owner(frame, HEAP);
        self.direct.unmap(cpu, frame);
        // A CPU may still write there by an old translation; that does no harm while the frame has no owner.
        // But no CPU may walk through a frame that is no longer a table.
        if let Role::Table(_) = cpu.bus().memory.role(frame) {
            self.flush.forget(cpu, TypeInfo(cpu.load(self.frames.type_info(frame))).stamp());
            cpu.set_role(frame, Role::Data);
        }
        Ok(())
    }

    /// Gives a frame that was taken to the heap, and maps it again.
    fn give_to_heap(&self, cpu: &Cpu<'_>, frame: Frame, for_good: bool) {
        self.direct.map(cpu, frame);
        self.heap.give(cpu, frame, self.flush.time(cpu), for_good);
    }

    /// Gives frames that were taken back to the guest, because the heap had none to exchange them for.
    fn put_back(&self, cpu: &Cpu<'_>, stolen: &[Frame]) {
        for frame in stolen {
            self.direct.map(cpu, *frame);
            self.assign_page(cpu, *frame);
        }
    }

    /// Cleans a frame of the heap that the guest is about to get: no CPU remembers it, and it holds nothing of what it
    /// held.
    fn clean(&self, cpu: &Cpu<'_>, free: FreeFrame) {
        if let Some(since) = free.since
            && self.protocol.does(Step::FlushBeforeGivingAway)
        {
            self.flush.forget(cpu, since);
        }
        cpu.swap(self.frames.type_info(free.frame), TypeInfo::NONE.0);
        // Another use begins here, so that the machine notices an access by an old translation.
        cpu.set_role(free.frame, Role::Foreign);
        cpu.clear_frame(free.frame);
    }

    /// Gives a frame to the guest (`assign_pages`). Once it counts as allocated, CPUs can take references.
    fn assign_page(&self, cpu: &Cpu<'_>, frame: Frame) {
        cpu.bus().memory.set_owner(frame, GUEST);
        cpu.set_role(frame, Role::Data);
        cpu.swap(self.frames.count_info(frame), CountInfo::ALLOCATED.0);
    }
}
