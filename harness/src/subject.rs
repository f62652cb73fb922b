//! What the runner sees of a kernel: tasks go in, outcomes come out, and the machine beneath can be looked at. A
//! stranger's kernel that implements [`Subject`] is fuzzed like ours.
//!
//! Nothing here may tell the checks what the kernel believes: what they judge they read from the machine. The few
//! questions that are put to the kernel are those that a caller could answer for it: where its mapping lies, which
//! frame is behind its page.

use core::fmt;
use std::rc::Rc;

use impls::{Designs, Kernel, Native, Protocol, PvMmu, Sizes, Task, Xen};
use machine::{Background, Bus, Frame, Machine, Observer, Pause, Temperament, Told};
use oracle::vocabulary::{Mapping, Operation, Outcome, PageSlot, Range};

use crate::story::{Backends, Header};

/// What is told of every task that ends, at the moment it does.
pub type Watcher<'w> = dyn Observer<Outcome> + 'w;

/// What is to be done how, on every backend.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The designs chosen and the safety steps left out.
    pub protocol: Rc<Protocol>,
    /// The designs that were asked for by name, the later before the earlier: a story's own yield to them.
    pub insists_on: Rc<[(String, String)]>,
    /// A quirk of the hardware: INVLPG spares global entries while process-context identifiers are in use.
    pub invlpg_spares_globals: bool,
}

impl Setup {
    /// What a story with these designs of its own is played by.
    ///
    /// # Panics
    /// If a design that was asked for does not exist.
    #[must_use]
    pub fn with_designs(&self, mut designs: Designs) -> Self {
        for (point, variant) in &*self.insists_on {
            designs.choose(point, variant).expect("designs that were looked up before");
        }
        Self { protocol: Rc::new(self.protocol.with_designs(designs)), ..self.clone() }
    }
}

/// A kernel on a machine.
pub trait Subject: fmt::Debug {
    /// The name for people and stories.
    fn name(&self) -> &'static str;

    /// Whether a page table may have no alias that could write to it.
    fn tables_allow_no_alias(&self) -> bool;

    /// Boots again, on a machine as the header wants it. What was played before must leave no trace.
    fn reset(&mut self, header: &Header, setup: &Setup);

    /// The machine.
    fn bus(&self) -> &Bus;

    /// How many tasks and handlers are under way on a CPU, one within the other.
    fn depth(&self, cpu: u8) -> usize;

    /// Starts a task on an idle CPU and runs it to its pause or its end.
    fn begin(&mut self, cpu: u8, task: Task, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told;

    /// Lets the innermost task or handler of a CPU go on, to its pause or its end.
    fn resume(&mut self, cpu: u8, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told;

    /// Delivers a pending interrupt to a CPU, if it takes one.
    fn deliver(&mut self, cpu: u8, from: Option<u8>, pause: Option<Pause>, watcher: &mut Watcher<'_>)
    -> Told;

    /// The oldest stores of a CPU reach memory. Returns how many did.
    fn drain_stores(&mut self, cpu: u8, most: usize) -> usize;

    /// Lets a grace period pass if nobody holds it up. Returns whether it passed.
    fn grace_period(&mut self) -> bool;

    /// Whether something waits for a grace period.
    fn grace_period_wanted(&self) -> bool;

    /// Whether deferred work is queued.
    fn work_pending(&self) -> bool;

    /// The machine frame behind a page that a caller holds. Its first word is what `read` and `write` access.
    fn frame_of(&self, page: PageSlot) -> Option<Frame>;

    /// Where a mapping lies, or lay last.
    fn last_range(&self, mapping: Mapping) -> Option<Range>;

    /// A device reads or writes by the bus address that its driver was given.
    fn device(&mut self, _operation: Operation) -> Outcome {
        Outcome::Void
    }

    /// The first frame that no device reaches, if there is one.
    fn device_limit(&self) -> Option<u32> {
        None
    }

    /// Another domain takes the frames that were given away, if there is one.
    fn other_domain_takes(&mut self) {}

    /// After [`Task::Teardown`] and a grace period: what is left although everything was given back.
    fn leftovers(&self) -> Vec<String>;
}

impl<P: PvMmu> Subject for Machine<Kernel<P>> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn tables_allow_no_alias(&self) -> bool {
        P::TABLES_ALLOW_NO_ALIAS
    }

    fn reset(&mut self, header: &Header, setup: &Setup) {
        let mut config = Kernel::<P>::config(header.sizes, header.cpus, header.temperament);
        config.invlpg_spares_globals = setup.invlpg_spares_globals;
        Machine::reset(self, config, |bus| Kernel::boot(bus, header.sizes, Rc::clone(&setup.protocol)));
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

    fn device(&mut self, operation: Operation) -> Outcome {
        self.software().device(Machine::bus(self), operation)
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

/// A machine with a kernel of ours on this platform.
fn ours<P: PvMmu>() -> Box<dyn Subject> {
    let (sizes, protocol) = (Sizes::Tiny, Rc::new(Protocol::default()));
    let config = Kernel::<P>::config(sizes, 2, Temperament::empty());
    Box::new(Machine::new(config, |bus| Kernel::<P>::boot(bus, sizes, protocol)))
}

/// Every backend of ours, in the order in which they play a story.
pub fn all() -> Vec<(Backends, Box<dyn Subject>)> {
    vec![(Backends::NATIVE, ours::<Native>()), (Backends::XEN, ours::<Xen>())]
}
