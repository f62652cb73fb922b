//! Work that is put off: queued from any context, carried out by a worker that may sleep.

use crate::family;
use machine::{Bus, Cpu, VarArray};

/// The things that are put off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Purge the lazily unmapped areas: there are more than the threshold.
    PurgeAreas = 0,
}

impl Work {
    /// Every one.
    pub const ALL: [Self; 1] = [Self::PurgeAreas];
}

/// A queue in which every item stands at most once.
#[derive(Debug)]
pub struct Workqueue {
    pending: VarArray,
}

impl Workqueue {
    /// Nothing is queued.
    pub fn new(bus: &Bus) -> Self {
        Self { pending: bus.memory.vars(family::WORK_PENDING, Work::ALL.len()) }
    }

    /// Queues a work item, unless it is queued (`schedule_work`). Returns whether it was not.
    pub fn schedule(&self, cpu: &Cpu<'_>, work: Work) -> bool {
        cpu.swap(self.pending.at(work as usize), 1) == 0
    }

    /// Takes a work item to carry it out: what is scheduled from now on queues it again.
    pub fn take(&self, cpu: &Cpu<'_>, work: Work) -> bool {
        cpu.swap(self.pending.at(work as usize), 0) != 0
    }

    /// Whether anything is queued, seen from outside while no CPU runs.
    pub fn pending(&self, bus: &Bus) -> bool {
        Work::ALL.iter().any(|work| bus.memory.value(self.pending.at(*work as usize)) != 0)
    }
}
