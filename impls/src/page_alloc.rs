//! The page allocator: single pages, given out and taken back under the lock of their zone.

use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use crate::sync::{LockClass, Lockdep, SpinLock};
use machine::{Bus, Cpu, Role, Temperament};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

const ZONE_LOCK: LockClass = LockClass { family: family::ZONE_LOCK, name: "zone->lock" };

/// The free pages of a zone.
#[derive(Debug)]
pub struct PageAllocator {
    free: SpinLock<VecDeque<Pfn>>,
    /// What was freed last is given out first.
    lifo: bool,
}

impl PageAllocator {
    /// These pages are free.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, free: Range<u32>) -> Self {
        Self::of_pages(bus, ZONE_LOCK, lockdep, free)
    }

    /// These pages of another zone are free, to be handed out in this order.
    pub fn of_pages(
        bus: &Bus,
        lock: LockClass,
        lockdep: &Rc<Lockdep>,
        free: impl Iterator<Item = u32>,
    ) -> Self {
        Self {
            free: SpinLock::new(bus, lockdep, lock, free.map(Pfn).collect()),
            lifo: bus.temperament().contains(Temperament::LIFO_REUSE),
        }
    }

    /// Allocates a zeroed page, in any context.
    pub fn alloc<P: PvMmu>(&self, pv: &P, cpu: &Cpu<'_>) -> Option<Pfn> {
        let pfn = {
            let mut free = self.free.lock_irqsave(cpu);
            if self.lifo { free.pop_back() } else { free.pop_front() }
        }?;
        let frame = pv.frame_of(pfn);
        cpu.set_role(frame, Role::Data);
        cpu.clear_frame(frame);
        Some(pfn)
    }

    /// Allocates zeroed pages that follow each other, all below a limit, in any context. Returns the first.
    pub fn alloc_contiguous<P: PvMmu>(&self, pv: &P, cpu: &Cpu<'_>, pages: u32, limit: u32) -> Option<Pfn> {
        let first = {
            let mut free = self.free.lock_irqsave(cpu);
            let mut below: Vec<_> = free.iter().copied().filter(|pfn| pfn.0 < limit).collect();
            below.sort_unstable();
            let run =
                below.windows(pages as usize).find(|run| run[run.len() - 1].0 - run[0].0 == pages - 1)?;
            free.retain(|pfn| !run.contains(pfn));
            run[0]
        };
        for pfn in (first.0..first.0 + pages).map(Pfn) {
            cpu.set_role(pv.frame_of(pfn), Role::Data);
            cpu.clear_frame(pv.frame_of(pfn));
        }
        Some(first)
    }

    /// Gives a page back, in any context.
    pub fn free<P: PvMmu>(&self, pv: &P, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.set_role(pv.frame_of(pfn), Role::Free);
        self.free.lock_irqsave(cpu).push_back(pfn);
    }

    /// Gives a page back where no CPU takes part: after a grace period, and so at a moment when no CPU holds the lock.
    pub fn free_from_outside<P: PvMmu>(&self, pv: &P, bus: &Bus, pfn: Pfn) {
        bus.memory.set_role(pv.frame_of(pfn), Role::Free);
        let mut free = self.free.from_outside().expect("a CPU that holds it has interrupts off");
        free.push_back(pfn);
    }

    /// Allocates a zeroed page while booting.
    pub fn alloc_at_boot<P: PvMmu>(&mut self, pv: &P, bus: &Bus) -> Pfn {
        let pfn = self.free.get_mut().pop_front().expect("memory to boot in");
        bus.memory.set_role(pv.frame_of(pfn), Role::Data);
        pfn
    }

    /// How many pages are free, while no CPU runs.
    pub fn count_free(&self) -> usize {
        self.free.peek(VecDeque::len)
    }
}
