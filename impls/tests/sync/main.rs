//! What a kernel synchronises with: that each primitive keeps its promise when another CPU or a handler comes in
//! between, and that every rule of locking raises its alarm where it is broken, whether or not this run deadlocks.
//!
//! A test writes what each CPU runs as a plain function over [`Kit`], and tells a story with it.

mod lockdep;
mod locks;
mod rcu;
mod rwsem;
mod work;

use impls::family;
use impls::sync::{LockClass, Lockdep, Mutex, PerCpuVar, Rcu, RwSemaphore, SpinLock, Workqueue};
use machine::{
    AlarmKind, Background, Bus, Config, Cpu, Family, Interrupt, Machine, Observer, Pause, Point, PointKind,
    Software, Standing, Temperament, Told, Var, Wait,
};
use std::cell::{Cell, RefCell};

/// What a CPU runs.
pub(crate) type Program = fn(&Kit, &Cpu<'_>) -> u64;

const SPIN_A: LockClass = LockClass { family: family::AREA_LOCK, name: "spin a" };
const SPIN_B: LockClass = LockClass { family: family::LAZY_LOCK, name: "spin b" };
const SPIN_C: LockClass = LockClass { family: family::ZONE_LOCK, name: "spin c" };
const SLEEP_A: LockClass = LockClass { family: family::PURGE_LOCK, name: "mutex a" };
const SLEEP_B: LockClass = LockClass { family: family::KERNEL_TABLES, name: "mutex b" };
const SEMAPHORE: LockClass = LockClass { family: family::DOMAIN_LOCK, name: "semaphore" };

/// The family of the variable that tests change under a lock.
pub(crate) const SHARED: Family = family::LAZY_PAGES;

/// One of everything, or two or three where an order is to be had.
pub(crate) struct Kit {
    pub(crate) spin_a: SpinLock<()>,
    /// Of the class of `spin_a`.
    pub(crate) twin_of_a: SpinLock<()>,
    pub(crate) spin_b: SpinLock<()>,
    pub(crate) spin_c: SpinLock<()>,
    pub(crate) mutex_a: Mutex<()>,
    pub(crate) mutex_b: Mutex<()>,
    pub(crate) semaphore: RwSemaphore<()>,
    pub(crate) rcu: Rcu<&'static str>,
    /// What grace periods gave back.
    pub(crate) given_back: RefCell<Vec<&'static str>>,
    pub(crate) work: Workqueue,
    pub(crate) shared: Var,
    pub(crate) own: PerCpuVar,
    /// What an interrupt runs.
    handler: Cell<fn(&Self, &Cpu<'_>)>,
}

impl Kit {
    fn new(bus: &Bus) -> Self {
        let lockdep = Lockdep::new();
        Self {
            spin_a: SpinLock::new(bus, &lockdep, SPIN_A, ()),
            twin_of_a: SpinLock::new(bus, &lockdep, SPIN_A, ()),
            spin_b: SpinLock::new(bus, &lockdep, SPIN_B, ()),
            spin_c: SpinLock::new(bus, &lockdep, SPIN_C, ()),
            mutex_a: Mutex::new(bus, &lockdep, SLEEP_A, ()),
            mutex_b: Mutex::new(bus, &lockdep, SLEEP_B, ()),
            semaphore: RwSemaphore::new(bus, &lockdep, SEMAPHORE, ()),
            rcu: Rcu::new(bus),
            given_back: RefCell::default(),
            work: Workqueue::new(bus),
            shared: bus.memory.var(SHARED),
            own: PerCpuVar::new(bus, family::DIRTY_BLOCKS),
            handler: Cell::new(|_, _| {}),
        }
    }

    /// Adds one to the shared variable, as only the holder of a lock may. Returns what was there.
    pub(crate) fn count(&self, cpu: &Cpu<'_>) -> u64 {
        let before = cpu.load(self.shared);
        cpu.store(self.shared, before + 1);
        before
    }

    /// Lets a grace period pass if nobody holds it up.
    pub(crate) fn grace_period(&self, standing: &Standing<'_>) -> Background {
        self.rcu.grace_period(standing, |callback| self.given_back.borrow_mut().push(callback))
    }
}

impl Software for Kit {
    type Operation = Program;
    type Outcome = u64;

    fn run(&self, cpu: &Cpu<'_>, program: Program) -> u64 {
        program(self, cpu)
    }

    fn interrupt(&self, cpu: &Cpu<'_>, _: Interrupt) {
        (self.handler.get())(self, cpu);
    }

    fn background(&self, standing: &Standing<'_>, wait: &Wait) -> Background {
        if wait.var.family == family::GRACE_PERIODS {
            self.grace_period(standing)
        } else {
            Background::Nothing
        }
    }
}

#[derive(Default)]
struct Ends(Vec<(u8, u64)>);

impl Observer<u64> for Ends {
    fn ended(&mut self, _: &Bus, cpu: u8, outcome: u64) {
        self.0.push((cpu, outcome));
    }
}

/// A machine with the kit on it, and what ended so far.
pub(crate) struct Rig {
    pub(crate) machine: Machine<Kit>,
    ends: Ends,
}

impl Rig {
    pub(crate) fn new(cpus: u8) -> Self {
        let config =
            Config { cpus, frames: 1, vars: 32, temperament: Temperament::LAZY_STORES, ..Config::default() };
        Self { machine: Machine::new(config, |bus| Kit::new(bus)), ends: Ends::default() }
    }

    pub(crate) fn kit(&self) -> &Kit {
        self.machine.software()
    }

    /// What interrupts run from now on.
    pub(crate) fn handle_with(&self, handler: fn(&Kit, &Cpu<'_>)) {
        self.kit().handler.set(handler);
    }

    /// Runs a program to its end.
    pub(crate) fn run(&mut self, cpu: u8, program: Program) -> u64 {
        let told = self.machine.begin(cpu, program, None, &mut self.ends);
        assert_eq!(told, Told::Ended, "{:?}", self.machine.bus().alarms());
        self.outcome(cpu).expect("it ended")
    }

    /// Runs a program up to its first access of a kind to a family.
    pub(crate) fn run_until(&mut self, cpu: u8, kind: PointKind, family: Family, program: Program) {
        let pause = Pause::Before { point: Point { kind, family }, occurrence: 1 };
        let told = self.machine.begin(cpu, program, Some(pause), &mut self.ends);
        assert!(matches!(told, Told::Paused(_)), "{told:?}: {:?}", self.machine.bus().alarms());
    }

    /// Lets what stands on a CPU go on to its end.
    pub(crate) fn go_on(&mut self, cpu: u8) -> Told {
        self.machine.resume(cpu, &mut self.ends)
    }

    /// A CPU takes a pending interrupt.
    pub(crate) fn deliver(&mut self, cpu: u8) -> Told {
        self.machine.deliver(cpu, None, None, &mut self.ends)
    }

    /// How the last program that ended on a CPU did.
    pub(crate) fn outcome(&self, cpu: u8) -> Option<u64> {
        self.ends.0.iter().rev().find(|(from, _)| *from == cpu).map(|(_, outcome)| *outcome)
    }

    /// What the shared variable holds, seen from outside.
    pub(crate) fn counted(&self) -> u64 {
        self.machine.bus().memory.value(self.kit().shared)
    }

    /// The rules of locking that were broken, and the locks concerned.
    pub(crate) fn complaints(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let alarms = self.machine.bus().alarms();
        let locking = alarms.iter().filter_map(|alarm| match &alarm.kind {
            AlarmKind::Locking { text, locks } => Some((*text, locks.clone())),
            _ => None,
        });
        locking.collect()
    }
}
