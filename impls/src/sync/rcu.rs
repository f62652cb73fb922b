//! Read-copy-update: the kernel frees what readers may still hold only after a grace period. A CPU with interrupts off is a
//! reader (RCU-sched).
//!
//! A grace period is an event with a lane of its own. It happens at a moment when no CPU reads, so the kernel may free all
//! that was queued before.

use super::percpu::PerCpu;
use crate::family;
use machine::{Background, Bus, Cpu, Holder, Standing, Until, Var, Wait, WaitKind};
use std::cell::{Cell, RefCell};

/// The grace periods of one kernel, and the callbacks (`C`) that wait for one.
#[derive(Debug)]
pub struct Rcu<C> {
    passed: Var,
    nesting: PerCpu<Cell<u32>>,
    queued: RefCell<Vec<C>>,
}

/// A read-side section, as long as this lives.
#[derive(Debug)]
pub struct RcuReadGuard<'a> {
    nesting: &'a Cell<u32>,
}

impl Drop for RcuReadGuard<'_> {
    fn drop(&mut self) {
        self.nesting.set(self.nesting.get() - 1);
    }
}

impl<C> Rcu<C> {
    /// With no callback queued and no reader.
    pub fn new(bus: &Bus) -> Self {
        Self {
            passed: bus.memory.var(family::GRACE_PERIODS),
            nesting: PerCpu::new(bus, |_| Cell::new(0)),
            queued: RefCell::default(),
        }
    }

    /// Begins a read-side section (`rcu_read_lock`).
    pub fn read_lock(&self, cpu: &Cpu<'_>) -> RcuReadGuard<'_> {
        let nesting = self.nesting.this(cpu);
        nesting.set(nesting.get() + 1);
        RcuReadGuard { nesting }
    }

    /// Queues a callback for after a grace period (`call_rcu`).
    pub fn call(&self, callback: C) {
        self.queued.borrow_mut().push(callback);
    }

    /// How many grace periods have passed.
    pub fn passed(&self, bus: &Bus) -> u64 {
        bus.memory.value(self.passed)
    }

    /// How many callbacks wait.
    pub fn queued(&self) -> usize {
        self.queued.borrow().len()
    }

    /// Waits until a grace period has passed (`synchronize_rcu`).
    #[track_caller]
    pub fn synchronize(&self, cpu: &Cpu<'_>) {
        let until = Until::AtLeast(cpu.load(self.passed) + 1);
        let wait = Wait { var: self.passed, until, holder: Holder::Background, kind: WaitKind::GracePeriod };
        cpu.wait(wait);
    }

    /// The CPUs that hold a grace period up now: readers, and those with interrupts off.
    pub fn held_by(&self, standing: &Standing<'_>) -> u8 {
        (0..standing.bus.cpus())
            .filter(|cpu| {
                let busy = standing.busy & 1 << cpu != 0;
                let interrupts = standing.bus.core(*cpu).guest_interrupts_on();
                busy && (self.nesting.of(*cpu).get() != 0 || !interrupts)
            })
            .map(|cpu| 1 << cpu)
            .sum()
    }

    /// Lets one grace period pass if no CPU holds it up: `give_back` gets every callback queued before.
    pub fn grace_period(&self, standing: &Standing<'_>, give_back: impl FnMut(C)) -> Background {
        match self.held_by(standing) {
            0 => {
                let memory = &standing.bus.memory;
                memory.set_value(self.passed, memory.value(self.passed) + 1);
                let queued = self.queued.take();
                queued.into_iter().for_each(give_back);
                Background::Moved
            }
            cpus => Background::HeldBy(cpus),
        }
    }
}
