//! Event channels between the guest's CPUs: how a paravirtual kernel interrupts another of its CPUs.

use crate::family;
use crate::sync::{LockClass, Lockdep, SpinLock};
use machine::{Bus, Cpu, Level};
use std::rc::Rc;

const EVENT_LOCK: LockClass = LockClass { family: family::EVENT_LOCK, name: "event_lock" };

/// The channels of the guest: one from each of its CPUs to each other.
#[derive(Debug)]
pub(super) struct EventChannels {
    lock: SpinLock<()>,
}

impl EventChannels {
    /// Variables needed.
    pub(super) const VARS: u32 = 1;

    /// Nothing was sent yet.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        Self { lock: SpinLock::new(bus, lockdep, EVENT_LOCK, ()) }
    }

    /// Interrupts a CPU of the guest's, which takes it when its own interrupt flag allows (`evtchn_send`).
    ///
    /// Taking the lock drains the store buffer: unlike an interrupt sent on bare metal, an event never overtakes what
    /// its sender stored before it.
    #[track_caller]
    pub(super) fn send(&self, cpu: &Cpu<'_>, to: u8, vector: u8) {
        let _events = self.lock.lock_irqsave(cpu);
        cpu.send_ipi_at(Level::Guest, to, vector);
    }
}
