//! Hypercalls that a CPU puts off: in lazy MMU mode it collects its updates and issues them together.
//!
//! A handler that interrupts lazy mode is not in lazy mode: it may look at what it just updated. But it first issues what
//! the CPU had collected, so that updates keep their order:
//!
//! ```text
//!   c0 in lazy mode                       handler on c0
//!   collect: PTE 1 := page
//!                                         PTE 1 := empty, at once: overtakes
//!   issue: PTE 1 = page, and the kernel does not know
//! ```

use crate::hypervisor::xen::{Call, Hypervisor};
use crate::sizes::Sizes;
use crate::sync::PerCpu;
use machine::{Bus, Cpu};
use std::cell::{Cell, RefCell};

/// What one CPU has collected.
#[derive(Debug, Default)]
struct Batch {
    calls: RefCell<Vec<Call>>,
    lazy: Cell<bool>,
    /// The hypervisor refused a call that was issued since lazy mode was entered.
    refused: Cell<bool>,
}

/// What every CPU has collected.
#[derive(Debug)]
pub(super) struct Multicalls {
    batches: PerCpu<Batch>,
    capacity: usize,
}

impl Multicalls {
    /// With nothing put off.
    pub(super) fn new(bus: &Bus, sizes: Sizes) -> Self {
        let capacity = match sizes {
            Sizes::Tiny => 2,
            Sizes::Small => 8,
            Sizes::Real => 32,
        };
        Self { batches: PerCpu::new(bus, |_| Batch::default()), capacity }
    }

    /// Whether this CPU puts updates off now.
    pub(super) fn lazy(&self, cpu: &Cpu<'_>) -> bool {
        self.batches.this(cpu).lazy.get() && !cpu.in_interrupt()
    }

    /// Enters lazy mode; handlers never do.
    pub(super) fn enter(&self, cpu: &Cpu<'_>) {
        if !cpu.in_interrupt() {
            self.batches.this(cpu).lazy.set(true);
        }
    }

    /// Issues everything and leaves lazy mode. Returns whether the hypervisor accepted all of it.
    #[track_caller]
    pub(super) fn leave(&self, cpu: &Cpu<'_>, hypervisor: &Hypervisor) -> bool {
        if cpu.in_interrupt() {
            return true;
        }
        self.issue(cpu, hypervisor);
        let batch = self.batches.this(cpu);
        batch.lazy.set(false);
        !batch.refused.replace(false)
    }

    /// Puts a call off. If there is no room, issues the earlier ones first.
    #[track_caller]
    pub(super) fn collect(&self, cpu: &Cpu<'_>, hypervisor: &Hypervisor, call: Call) {
        let batch = self.batches.this(cpu);
        let full = batch.calls.borrow().len() >= self.capacity;
        if full {
            self.issue(cpu, hypervisor);
        }
        batch.calls.borrow_mut().push(call);
    }

    /// Issues what was put off (`xen_mc_flush`). Interrupts are off meanwhile: a handler's own updates must not overtake
    /// the batch.
    #[track_caller]
    pub(super) fn issue(&self, cpu: &Cpu<'_>, hypervisor: &Hypervisor) {
        let batch = self.batches.this(cpu);
        if batch.calls.borrow().is_empty() {
            return;
        }
        let interrupts = cpu.irq_save();
        let mut calls = batch.calls.take();
        // A handler may have issued them while interrupts were still on.
        if !calls.is_empty() {
            hypervisor.multicall(cpu, &calls, |_, refusal| {
                cpu.note(refusal.reason(), refusal.subject());
                batch.refused.set(true);
            });
            calls.clear();
        }
        batch.calls.replace(calls);
        cpu.irq_restore(interrupts);
    }

    /// How many calls all CPUs have put off, while none runs.
    pub(super) fn outstanding(&self) -> usize {
        self.batches.iter().map(|batch| batch.calls.borrow().len()).sum()
    }
}
