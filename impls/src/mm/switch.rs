//! A CPU loads an address space, or is taken off one that goes.

use super::{LEAVE_MM_VECTOR, Mm, NONE};
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::Step;
use crate::smp;
use machine::{Cpu, Interrupt, Until};
use std::rc::Rc;

impl<P: PvMmu> Kernel<P> {
    /// This CPU loads an address space, or the kernel's own (`switch_mm_irqs_off`).
    ///
    /// It counts as being in the old one until it has loaded the new root:
    ///
    /// ```text
    ///   c1, in the other order                c0 drop-mm
    ///   loaded_mm := init
    ///                                         nobody has it loaded
    ///                                         free its tables
    ///   (still on the old root) walks tables that were freed
    ///   load CR3
    /// ```
    ///
    /// Nor is it in neither: interrupts are off, so that it cannot be taken off the one while it goes over to the other. It is in
    /// the mask of the new one before it can walk there, and in that of the old one for as long as it can: a flush reads the mask
    /// after it has cleared the entry, and so either finds the CPU there, or the CPU finds the entry cleared.
    pub(crate) fn switch_mm(&self, cpu: &Cpu<'_>, to: Option<&Rc<Mm>>) {
        let root = to.map_or(self.mms.init, |mm| mm.root());
        let loaded = self.mms.loaded.this(cpu);
        let me = 1 << cpu.id();
        let interrupts = cpu.irq_save();
        if let Some(to) = to {
            cpu.update(to.cpumask, |mask| (mask & me == 0).then_some(mask | me));
        }
        self.protocol.in_order(
            Step::LoadBeforeLeaving,
            || self.pv.load_root(cpu, root),
            || cpu.store(loaded, root.0.into()),
        );
        let old = self.mms.active.this(cpu).replace(to.map(Rc::clone));
        if let Some(old) = old.filter(|old| old.root() != root) {
            cpu.update(old.cpumask, |mask| Some(mask & !me));
        }
        cpu.irq_restore(interrupts);
    }

    /// Has every CPU that is in an address space load the kernel's own, and waits until it has (`xen_drop_mm_ref`): a CPU that
    /// is asked need not listen at once. A thread that runs there ends.
    ///
    /// ```text
    ///   c0 drop-mm m0, without waiting        c1, in m0
    ///   c1 is in m0: interrupts it
    ///                                         interrupts off, or just not there yet
    ///   frees the tables of m0
    ///                                         walks tables that were freed
    ///                                         takes the interrupt: leaves m0
    /// ```
    pub(super) fn evict(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let root = u64::from(mm.root().0);
        if cpu.load(self.mms.loaded.this(cpu)) == root {
            self.switch_mm(cpu, None);
        }
        let leave = self.mms.leave.this(cpu);
        for other in (0..cpu.bus().cpus()).filter(|other| *other != cpu.id()) {
            if cpu.load(self.mms.loaded.of(other)) != root {
                continue;
            }
            let call = smp::Call {
                targets: 1 << other,
                interrupt: |target| self.pv.send_ipi(cpu, target, LEAVE_MM_VECTOR),
                answer: |target| (self.mms.loaded.of(target), Until::IsNot(root)),
            };
            // Locked, so that no fence is needed.
            cpu.swap(leave, root);
            call.send(cpu, false);
            if self.protocol.does(Step::AwaitLeaving) {
                call.wait(cpu);
                // The root may be that of another address space soon, and the interrupt still to come.
                cpu.swap(leave, NONE);
            }
        }
    }

    /// The target's side. It may have left by itself meanwhile, and must stay where it is then:
    ///
    /// ```text
    ///   c0 drop-mm m0                         c1 switch-mm m1
    ///                                         interrupts off
    ///   c1 is in m0: interrupts it
    ///                                         loads m1
    ///   c1 is not in m0: goes on
    ///                                         interrupts on: leaves m1, which nobody drops
    /// ```
    pub(crate) fn leave_mm_handler(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        let asked = cpu.load(self.mms.leave.of(interrupt.from));
        let is_in = cpu.load(self.mms.loaded.this(cpu));
        if self.protocol.does(Step::CheckBeforeLeaving) && is_in != asked {
            return;
        }
        self.end_thread(cpu);
        self.switch_mm(cpu, None);
    }
}
