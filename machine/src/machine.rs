//! The executor decides which CPU runs when. It runs what the story tells, to its pause or its end. When that must wait,
//! `help.rs` runs the CPU that can release it. Nothing here may depend on anything but the story.

use crate::bus::{Bus, Config, MAX_CPUS};
use crate::core::{Interrupt, Level};
use crate::cpu::{Cpu, Stop, Wake};
use crate::fault::Resolution;
use crate::point::{Pause, Point};
use crate::wait::Wait;
use crate::walker::PageFault;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// Bytes of a CPU's stack: a panic message must fit.
const STACK: usize = 256 * 1024;

/// What runs on a machine.
pub trait Software: 'static {
    /// What a CPU can be asked to do.
    type Operation: Copy + 'static;
    /// How that can end.
    type Outcome: Copy + 'static;

    /// Carries out an operation on a CPU: ordinary straight-line code.
    fn run(&self, cpu: &Cpu<'_>, operation: Self::Operation) -> Self::Outcome;

    /// Handles an interrupt on a CPU, on top of what it interrupted, with interrupts of its level off.
    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt);

    /// Handles a page fault of a read, a write or a fetch through the MMU, on top of that access: in supervisor mode, and with
    /// interrupts of its level off. Says whether the access is made again; `again` says that it was, since this handler
    /// repaired something of a fault of it before.
    fn page_fault(&self, _cpu: &Cpu<'_>, _fault: PageFault, _again: bool) -> Resolution {
        Resolution::Unresolved
    }

    /// What the host beneath the machine does to give a CPU back that it took away: a handler that waits for nothing and ends with
    /// the CPU scheduled. None where nothing takes CPUs away.
    fn give_back(&self) -> Option<Interrupt> {
        None
    }

    /// Whether an operation's end drains the CPU's stores: it returned through a lock release and a scheduler, and a
    /// later event may rely on it.
    fn drains_at_end(&self, _operation: &Self::Operation) -> bool {
        true
    }

    /// A CPU waits for the background: the software moves it on if no CPU holds it, or says which CPUs hold it.
    fn background(&self, _executor: &Standing<'_>, _wait: &Wait) -> Background {
        Background::Nothing
    }
}

/// How the software's background answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Background {
    /// It moved on.
    Moved,
    /// These CPUs, a bit each, hold it up.
    HeldBy(u8),
    /// There is nothing to move.
    Nothing,
}

/// How the CPUs stand while no code runs: for grace periods.
#[derive(Debug)]
pub struct Standing<'m> {
    /// The machine.
    pub bus: &'m Bus,
    /// CPUs on which an operation or a handler is under way, a bit each.
    pub busy: u8,
}

/// Hears of every operation that ends, at the moment when it ends.
pub trait Observer<O> {
    /// An operation on this CPU ended.
    fn ended(&mut self, bus: &Bus, cpu: u8, outcome: O);
}

/// How far an event got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// The operation or handler ended.
    Ended,
    /// It stands before this point.
    Paused(Point),
    /// There was nothing to do.
    Nothing,
    /// It must wait, and the machine does not help ([`Machine::set_helping`]).
    Waiting(Wait),
    /// The machine raised an alarm and cannot go on: only [`Machine::reset`] is left.
    Failed,
}

struct Mailbox<S: Software> {
    software: RefCell<Option<Rc<S>>>,
    operation: Cell<Option<S::Operation>>,
    outcome: Cell<Option<S::Outcome>>,
}

type Carrier = Coroutine<Wake, Stop, (), DefaultStack>;

pub(crate) struct Seat<S: Software> {
    carrier: Option<Carrier>,
    mail: Rc<Mailbox<S>>,
    /// What is under way here, innermost last: for each operation or handler, why it stands still.
    pub(crate) standing: Vec<Stop>,
}

/// A machine and the software that runs on it.
pub struct Machine<S: Software> {
    bus: Rc<Bus>,
    pub(crate) seats: Vec<Seat<S>>,
    software: Rc<S>,
    stacks: Vec<DefaultStack>,
    pub(crate) failed: bool,
    /// When a context must wait, the machine runs a CPU that can release it.
    helping: bool,
}

impl<S: Software> fmt::Debug for Machine<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing: Vec<_> = self.seats.iter().map(|seat| &seat.standing).collect();
        f.debug_struct("Machine")
            .field("config", &self.bus.config())
            .field("standing", &standing)
            .finish_non_exhaustive()
    }
}

impl<S: Software> Machine<S> {
    /// A machine of this shape; `boot` sets memory up and gives the software.
    pub fn new(config: Config, boot: impl FnOnce(&Rc<Bus>) -> S) -> Self {
        assert!((1..=MAX_CPUS).contains(&config.cpus), "1 to {MAX_CPUS} CPUs, {} asked for", config.cpus);
        let bus = Rc::new(Bus::new(config));
        let software = Rc::new(boot(&bus));
        let mut machine =
            Self { bus, seats: Vec::new(), software, stacks: Vec::new(), failed: false, helping: true };
        machine.seat_all();
        machine
    }

    /// Starts a new story, at the cost of what the last one touched.
    pub fn reset(&mut self, config: Config, boot: impl FnOnce(&Rc<Bus>) -> S) {
        assert!((1..=MAX_CPUS).contains(&config.cpus), "1 to {MAX_CPUS} CPUs, {} asked for", config.cpus);
        self.bus.abandoned.set(true);
        self.unwind_all();
        for seat in &mut self.seats {
            seat.mail.software.borrow_mut().take();
            seat.mail.operation.take();
            seat.mail.outcome.take();
        }
        self.failed = false;
        self.helping = true;
        if self.bus.has_room(&config) {
            self.bus.reset(config);
        } else {
            self.retire_all();
            self.bus = Rc::new(Bus::new(config));
        }
        self.software = Rc::new(boot(&self.bus));
        self.seat_all();
    }

    fn seat_all(&mut self) {
        while self.seats.len() < usize::from(self.bus.cpus()) {
            let mail = Rc::new(Mailbox {
                software: RefCell::new(None),
                operation: Cell::new(None),
                outcome: Cell::new(None),
            });
            self.seats.push(Seat { carrier: None, mail, standing: Vec::new() });
        }
        for seat in &self.seats {
            *seat.mail.software.borrow_mut() = Some(Rc::clone(&self.software));
        }
    }

    /// Keeps idle carriers. Drops a carrier that was given up, or in which the software panicked.
    fn unwind_all(&mut self) {
        for seat in &mut self.seats {
            let given_up = !seat.standing.is_empty();
            seat.standing.clear();
            if let Some(carrier) = &mut seat.carrier
                && (given_up || carrier.done())
            {
                carrier.force_unwind();
                self.stacks.extend(seat.carrier.take().map(Carrier::into_stack));
            }
        }
    }

    fn retire_all(&mut self) {
        for seat in &mut self.seats {
            if let Some(mut carrier) = seat.carrier.take() {
                carrier.resume(Wake::Quit);
                self.stacks.push(carrier.into_stack());
            }
        }
    }

    /// The state that the CPUs share.
    pub fn bus(&self) -> &Rc<Bus> {
        &self.bus
    }

    /// The software that runs.
    pub fn software(&self) -> &Rc<S> {
        &self.software
    }

    /// Whether an operation or a handler is under way on a CPU.
    pub fn busy(&self, cpu: u8) -> bool {
        !self.seats[usize::from(cpu)].standing.is_empty()
    }

    /// How many operations and handlers are nested on a CPU.
    pub fn depth(&self, cpu: u8) -> usize {
        self.seats[usize::from(cpu)].standing.len()
    }

    /// The state of the CPUs while no code runs.
    pub fn standing(&self) -> Standing<'_> {
        let busy = |cpu: u8| u8::from(self.busy(cpu)) << cpu;
        Standing { bus: &self.bus, busy: (0..self.bus.cpus()).map(busy).sum() }
    }

    /// Whether the machine helps: when a context must wait, it runs a CPU that can release it. Each reset turns help on.
    /// Without help the wait stands ([`Told::Waiting`]) until the CPU is resumed after its end; a caller that runs the CPUs
    /// in an order of its own wants that.
    pub fn set_helping(&mut self, helping: bool) {
        self.helping = helping;
    }

    /// Starts an operation on an idle CPU and runs it to its pause or its end.
    pub fn begin(
        &mut self,
        cpu: u8,
        operation: S::Operation,
        pause: Option<Pause>,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> Told {
        if self.failed {
            return Told::Failed;
        }
        let seat = &mut self.seats[usize::from(cpu)];
        assert!(seat.standing.is_empty(), "c{cpu} is busy");
        seat.mail.operation.set(Some(operation));
        self.bus.core(cpu).next_pause.set(pause);
        self.run(cpu, Wake::Go, true, observer)
    }

    /// Lets the innermost operation or handler of a CPU go on, to its end.
    pub fn resume(&mut self, cpu: u8, observer: &mut dyn Observer<S::Outcome>) -> Told {
        match self.seats[usize::from(cpu)].standing.last() {
            None => Told::Nothing,
            Some(_) => self.run(cpu, Wake::Go, false, observer),
        }
    }

    /// As [`Machine::resume`], but only to this pause, counted from where the operation or handler began.
    pub fn resume_until(&mut self, cpu: u8, pause: Pause, observer: &mut dyn Observer<S::Outcome>) -> Told {
        if self.busy(cpu) {
            let core = self.bus.core(cpu);
            core.pause.set(Some(pause));
            core.occurrences.set(0);
            core.stop_at.set(0);
        }
        self.resume(cpu, observer)
    }

    /// Delivers a pending interrupt to a CPU, if it takes one now: the oldest, or the one from a given CPU.
    pub fn deliver(
        &mut self,
        cpu: u8,
        from: Option<u8>,
        pause: Option<Pause>,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> Told {
        match self.bus.next_interrupt(cpu, from) {
            None => Told::Nothing,
            Some(interrupt) => {
                self.bus.core(cpu).next_pause.set(pause);
                self.run(cpu, Wake::Interrupt(interrupt), true, observer)
            }
        }
    }

    /// Has a CPU run a handler of the host's now, whatever its flags say; on top of what it is at.
    pub fn host(
        &mut self,
        cpu: u8,
        interrupt: Interrupt,
        pause: Option<Pause>,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> Told {
        self.bus.core(cpu).next_pause.set(pause);
        self.run(cpu, Wake::Interrupt(interrupt), true, observer)
    }

    /// Gives a CPU back that the host took away. Returns whether it had to, and could.
    pub(crate) fn give_back(&mut self, cpu: u8, observer: &mut dyn Observer<S::Outcome>) -> bool {
        if !self.bus.core(cpu).is_descheduled() || self.failed {
            return false;
        }
        let Some(interrupt) = self.software.give_back() else { return false };
        let pause = self.bus.core(cpu).next_pause.take();
        let stop = self.step(cpu, Wake::Interrupt(interrupt), observer);
        self.bus.core(cpu).next_pause.set(pause);
        self.failed |= stop == Stop::Dead;
        !self.failed
    }

    /// Moves the oldest stores of a CPU to memory. Returns how many moved.
    pub fn drain_stores(&mut self, cpu: u8, most: usize) -> usize {
        self.bus.drain(cpu, most)
    }

    /// Runs one CPU until the context that was started, or the innermost one, pauses or ends.
    fn run(&mut self, cpu: u8, wake: Wake, fresh: bool, observer: &mut dyn Observer<S::Outcome>) -> Told {
        if self.failed {
            return Told::Failed;
        }
        // What is told to a CPU runs there: it must have the CPU.
        if matches!(wake, Wake::Go) && (fresh || !self.is_with_host(cpu)) {
            self.give_back(cpu, observer);
        }
        let depth = self.depth(cpu) + usize::from(fresh);
        let mut wake = Some(wake);
        // A waiting context goes on only once its condition holds.
        if !fresh && matches!(self.seats[usize::from(cpu)].standing.last(), Some(Stop::Waiting(_))) {
            wake = None;
        }
        loop {
            let stop = match wake.take() {
                Some(wake) => self.step(cpu, wake, observer),
                None => self.seats[usize::from(cpu)].standing[depth - 1],
            };
            match stop {
                Stop::Ended | Stop::Taken => return Told::Ended,
                Stop::Paused(point) => return Told::Paused(point),
                Stop::Dead => return self.fail(),
                Stop::Waiting(wait) => {
                    if !self.helping && !self.bus.holds(cpu, &wait) {
                        return Told::Waiting(wait);
                    }
                    if !self.release(cpu, depth, &wait, observer) {
                        return self.fail();
                    }
                    wake = Some(Wake::Go);
                }
            }
        }
    }

    /// Whether a handler of the host's stands on a CPU. A call into a hypervisor is code of the guest's.
    pub(crate) fn is_with_host(&self, cpu: u8) -> bool {
        self.bus.core(cpu).handlers[Level::Hypervisor as usize].get() != 0
    }

    fn fail(&mut self) -> Told {
        self.failed = true;
        Told::Failed
    }

    /// Resumes a CPU once and keeps the books.
    pub(crate) fn step(&mut self, cpu: u8, wake: Wake, observer: &mut dyn Observer<S::Outcome>) -> Stop {
        let seat = &mut self.seats[usize::from(cpu)];
        if seat.carrier.is_none() {
            seat.carrier = Some(carrier(cpu, &self.bus, &seat.mail, self.stacks.pop()));
        }
        let starts = matches!(wake, Wake::Interrupt(_)) || seat.standing.is_empty();
        let carrier = seat.carrier.as_mut().expect("seated above");
        // The software may panic. A caller that catches the panic can only reset the machine.
        let failed = std::mem::replace(&mut self.failed, true);
        let CoroutineResult::Yield(stop) = carrier.resume(wake) else {
            unreachable!("a carrier returns only when told to quit")
        };
        self.failed = failed;
        match stop {
            Stop::Ended | Stop::Taken => {
                if !starts {
                    seat.standing.pop();
                }
                if stop == Stop::Ended {
                    let outcome = seat.mail.outcome.take().expect("an operation that ended has an outcome");
                    observer.ended(&self.bus, cpu, outcome);
                }
            }
            Stop::Paused(_) | Stop::Waiting(_) | Stop::Dead => {
                if starts {
                    seat.standing.push(stop);
                } else {
                    *seat.standing.last_mut().expect("something was under way") = stop;
                }
            }
        }
        stop
    }
}

impl<S: Software> Drop for Machine<S> {
    fn drop(&mut self) {
        self.bus.abandoned.set(true);
        // Idle CPUs return; the stacks of the others are unwound.
        self.unwind_all();
        self.retire_all();
    }
}

/// The coroutine that carries what runs on one CPU. It lasts as long as the machine and loops over its mailbox.
fn carrier<S: Software>(
    id: u8,
    bus: &Rc<Bus>,
    mail: &Rc<Mailbox<S>>,
    stack: Option<DefaultStack>,
) -> Carrier {
    let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK).expect("memory for a stack"));
    let bus = Rc::clone(bus);
    let mail = Rc::clone(mail);
    Coroutine::with_stack(stack, move |yielder, first: Wake| {
        let mut wake = first;
        loop {
            if let Wake::Quit = wake {
                return;
            }
            let software = mail.software.borrow().clone().expect("a machine that runs has software");
            let cpu = Cpu::new(id, &bus, yielder, &*software);
            let stop = match wake {
                Wake::Interrupt(interrupt) => {
                    cpu.take(interrupt);
                    Stop::Taken
                }
                Wake::Go | Wake::Quit => {
                    let operation = mail.operation.take().expect("an operation was posted");
                    cpu.begin_operation();
                    let outcome = software.run(&cpu, operation);
                    cpu.end_of_operation(software.drains_at_end(&operation));
                    mail.outcome.set(Some(outcome));
                    Stop::Ended
                }
            };
            drop(software);
            wake = yielder.suspend(stop);
        }
    })
}
