//! Event channels between the guest's CPUs: with them a paravirtual kernel interrupts another of its CPUs.

use crate::family;
use crate::sync::{LockClass, Lockdep, SpinLock};
use machine::{Bus, Cpu, Level};
use std::rc::Rc;

const EVENT_LOCK: LockClass = LockClass { family: family::EVENT_LOCK, name: "event_lock" };

/// The channels of the guest, one from each of its CPUs to each other.
#[derive(Debug)]
pub(super) struct EventChannels {
    lock: SpinLock<()>,
}

impl EventChannels {
    /// The variables that they need.
    pub(super) const VARS: u32 = 1;

    /// The channels, with no event sent yet.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        Self { lock: SpinLock::new(bus, lockdep, EVENT_LOCK, ()) }
    }

    /// Interrupts a CPU of the guest, which takes the interrupt when its own flag allows (`evtchn_send`).
    ///
    /// The lock drains the store buffer. So an event never overtakes the earlier stores of its sender, unlike an interrupt
    /// on bare metal.
    #[track_caller]
    pub(super) fn send(&self, cpu: &Cpu<'_>, to: u8, vector: u8) {
        let _events = self.lock.lock_irqsave(cpu);
        cpu.send_ipi_at(Level::Guest, to, vector);
    }
}
