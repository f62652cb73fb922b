//! Our kernels as subjects.

use std::rc::Rc;

use impls::{HyperV, Kernel, Kvm, Native, Protocol, PvMmu, Task, Xen, user_layout};
use machine::{Background, Bus, Frame, Machine, Pause, Told};
use oracle::vocabulary::{Mapping, Operation, Outcome, PageSlot, Range};

use crate::{Build, Setup, Subject, Watcher};

/// The kernel on native hardware.
pub fn native() -> Box<dyn Subject> {
    ours::<Native>()
}

/// The kernel as a paravirtual guest of Xen, with the hypervisor beneath it.
pub fn xen() -> Box<dyn Subject> {
    ours::<Xen>()
}

/// The kernel in a virtual machine on KVM, whose host takes CPUs away.
pub fn kvm() -> Box<dyn Subject> {
    ours::<Kvm>()
}

/// The kernel in a virtual machine on Hyper-V.
pub fn hyperv() -> Box<dyn Subject> {
    ours::<HyperV>()
}

/// A machine with a kernel of ours on this platform.
fn ours<P: PvMmu>() -> Box<dyn Subject> {
    let (Build { cpus, temperament, sizes }, protocol) = (Build::default(), Rc::new(Protocol::default()));
    let config = Kernel::<P>::config(sizes, cpus, temperament);
    Box::new(Machine::new(config, |bus| Kernel::<P>::boot(bus, sizes, protocol)))
}

impl<P: PvMmu> Subject for Machine<Kernel<P>> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn tables_allow_no_alias(&self) -> bool {
        P::TABLES_ALLOW_NO_ALIAS
    }

    fn reset(&mut self, build: Build, setup: &Setup) {
        let mut config = Kernel::<P>::config(build.sizes, build.cpus, build.temperament);
        config.invlpg_spares_globals = setup.invlpg_spares_globals;
        Machine::reset(self, config, |bus| Kernel::boot(bus, build.sizes, Rc::clone(&setup.protocol)));
    }

    fn bus(&self) -> &Bus {
        Machine::bus(self)
    }

    fn depth(&self, cpu: u8) -> usize {
        Machine::depth(self, cpu)
    }

    fn begin(&mut self, cpu: u8, task: Task, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told {
        Machine::begin(self, cpu, task, pause, watcher)
    }

    fn resume(&mut self, cpu: u8, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told {
        match pause {
            None => Machine::resume(self, cpu, watcher),
            Some(pause) => self.resume_until(cpu, pause, watcher),
        }
    }

    fn deliver(
        &mut self,
        cpu: u8,
        from: Option<u8>,
        pause: Option<Pause>,
        watcher: &mut Watcher<'_>,
    ) -> Told {
        Machine::deliver(self, cpu, from, pause, watcher)
    }

    fn host(&mut self, cpu: u8, takes_away: bool, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told {
        let is_away = Machine::bus(self).core(cpu).is_descheduled();
        match self.software().host(takes_away).filter(|_| is_away != takes_away) {
            Some(handler) => Machine::host(self, cpu, handler, pause, watcher),
            None => Told::Nothing,
        }
    }

    fn drain_stores(&mut self, cpu: u8, most: usize) -> usize {
        Machine::drain_stores(self, cpu, most)
    }

    fn grace_period(&mut self) -> bool {
        self.software().grace_period(&self.standing()) == Background::Moved
    }

    fn grace_period_wanted(&self) -> bool {
        self.software().grace_period_wanted()
    }

    fn work_pending(&self) -> bool {
        self.software().work_pending(Machine::bus(self))
    }

    fn frame_of(&self, page: PageSlot) -> Option<Frame> {
        self.software().frame_of(page)
    }

    fn last_range(&self, mapping: Mapping) -> Option<Range> {
        self.software().callers().last_range(mapping)
    }

    fn user_address(&self, page: u8) -> Option<u64> {
        Some(user_layout::page(page).address())
    }

    fn device(&mut self, operation: Operation) -> Outcome {
        self.software().device(Machine::bus(self), operation)
    }

    fn room(&self) -> std::ops::Range<u64> {
        let sizes = self.software().sizes;
        let first = sizes.vmalloc_first();
        first.0..first.0 + sizes.vmalloc_pages()
    }

    fn device_limit(&self) -> Option<u32> {
        Some(P::dma_limit(self.software().sizes))
    }

    fn other_domain_takes(&mut self) {
        self.software().other_domain_takes(Machine::bus(self));
    }

    fn leftovers(&self) -> Vec<String> {
        self.software().leftovers(Machine::bus(self))
    }
}
