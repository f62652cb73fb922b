//! Deferred work: code in any context queues it, and a worker that may sleep carries it out.

use crate::family;
use machine::{Bus, Cpu, VarArray};

/// The kinds of deferred work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Purge the lazily unmapped areas: there are more than the threshold.
    PurgeAreas = 0,
}

impl Work {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::PurgeAreas];
}

/// A queue that holds every item at most once.
#[derive(Debug)]
pub struct Workqueue {
    pending: VarArray,
}

impl Workqueue {
    /// An empty queue.
    pub fn new(bus: &Bus) -> Self {
        Self { pending: bus.memory.vars(family::WORK_PENDING, Work::ALL.len()) }
    }

    /// Queues a work item, unless it is queued already (`schedule_work`). Returns whether it queued the item.
    pub fn schedule(&self, cpu: &Cpu<'_>, work: Work) -> bool {
        cpu.swap(self.pending.at(work as usize), 1) == 0
    }

    /// Takes a work item in order to carry it out. Scheduling it from now on queues it again.
    pub fn take(&self, cpu: &Cpu<'_>, work: Work) -> bool {
        cpu.swap(self.pending.at(work as usize), 0) != 0
    }

    /// Whether any item is queued, while no CPU runs.
    pub fn pending(&self, bus: &Bus) -> bool {
        Work::ALL.iter().any(|work| bus.memory.value(self.pending.at(*work as usize)) != 0)
    }
}
