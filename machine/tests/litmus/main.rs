//! The memory and translation model of `docs/machine.md`, and the executor, proved by the smallest programs that tell.
//!
//! A test writes what each CPU runs as a plain function over a [`Stage`] and then tells a story with it. Only what the
//! public interface shows is looked at.

mod broadcasts;
mod determinism;
mod documentation;
mod faults;
mod help;
mod host;
mod interrupts;
mod memory_model;
mod metering;
mod others;
mod queued_tables;
mod stale_tables;
mod toy_kernel;
mod translation;
mod waiting;
mod walkers;
mod watching;

use machine::paging::index;
use machine::*;
use std::cell::Cell;

/// A variable of the tests' own.
pub(crate) const VAR: Family = Family(20);

/// What a CPU runs.
pub(crate) type Program = fn(&Stage, &Cpu<'_>) -> u64;

/// What a page fault runs.
pub(crate) type FaultHandler = fn(&Stage, &Cpu<'_>, PageFault, bool) -> Resolution;

/// The software of the tests: a few variables, tables that are made by hand, and whatever a test runs.
pub(crate) struct Stage {
    vars: VarArray,
    next_frame: Cell<u32>,
    /// The root that every CPU begins with.
    pub(crate) root: Frame,
    /// What an interrupt runs.
    pub(crate) handler: Cell<fn(&Stage, &Cpu<'_>, Interrupt)>,
    /// What a page fault runs.
    pub(crate) fault: Cell<FaultHandler>,
    /// How the background answers.
    pub(crate) background: Cell<fn(&Stage, &Standing<'_>) -> Background>,
    /// Whether operations drain at their end.
    pub(crate) drains: Cell<bool>,
    /// How the host gives a CPU back.
    pub(crate) give_back: Cell<Option<Interrupt>>,
}

impl Stage {
    fn new(bus: &Bus) -> Self {
        let stage = Self {
            vars: bus.memory.vars(VAR, 16),
            next_frame: Cell::new(1),
            root: Frame(1),
            handler: Cell::new(|_, _, _| {}),
            fault: Cell::new(|_, _, _, _| Resolution::Unresolved),
            background: Cell::new(|_, _| Background::Nothing),
            drains: Cell::new(true),
            give_back: Cell::new(None),
        };
        let root = stage.frame(bus, Role::Table(4));
        for cpu in 0..bus.cpus() {
            bus.boot_cr3(cpu, Cr3 { root, pcid: 0 });
        }
        stage
    }

    /// A variable.
    pub(crate) fn v(&self, n: usize) -> Var {
        self.vars.at(n)
    }

    /// A fresh frame.
    pub(crate) fn frame(&self, bus: &Bus, role: Role) -> Frame {
        let frame = Frame(self.next_frame.get());
        self.next_frame.set(frame.0 + 1);
        bus.memory.set_role(frame, role);
        frame
    }

    /// The entry of this level for an address, tables above it made where there are none.
    pub(crate) fn entry(&self, bus: &Bus, root: Frame, va: u64, level: u8) -> Word {
        let mut table = root;
        for above in (level + 1..=4).rev() {
            let word = Word::new(table, index(va, above));
            let entry = Entry(bus.memory.peek(word));
            table = if entry.present() {
                entry.frame()
            } else {
                let below = self.frame(bus, Role::Table(above - 1));
                bus.boot_word(word, Entry::new(below, UPPER).0);
                below
            };
        }
        Word::new(table, index(va, level))
    }

    /// Maps a fresh data page and returns it.
    pub(crate) fn map(&self, bus: &Bus, va: u64, flags: Flags) -> Frame {
        let frame = self.frame(bus, Role::Data);
        bus.boot_word(self.entry(bus, self.root, va, 1), Entry::new(frame, flags).0);
        frame
    }
}

impl Software for Stage {
    type Operation = Program;
    type Outcome = u64;

    fn run(&self, cpu: &Cpu<'_>, program: Program) -> u64 {
        program(self, cpu)
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        (self.handler.get())(self, cpu, interrupt);
    }

    fn page_fault(&self, cpu: &Cpu<'_>, fault: PageFault, again: bool) -> Resolution {
        (self.fault.get())(self, cpu, fault, again)
    }

    fn give_back(&self) -> Option<Interrupt> {
        self.give_back.get()
    }

    fn drains_at_end(&self, _: &Program) -> bool {
        self.drains.get()
    }

    fn background(&self, executor: &Standing<'_>, _: &Wait) -> Background {
        (self.background.get())(self, executor)
    }
}

/// Present, writable, for user and supervisor: what upper entries are.
pub(crate) const UPPER: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::USER_ACCESSIBLE);
/// A kernel page that can be written.
pub(crate) const KERNEL: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::NO_EXECUTE);
/// A kernel page that can only be read.
pub(crate) const READ_ONLY: Flags = Flags::PRESENT.union(Flags::NO_EXECUTE);
/// A page of the user's.
pub(crate) const USER: Flags = KERNEL.union(Flags::USER_ACCESSIBLE);

/// A fault because nothing is mapped, as an outcome.
pub(crate) const UNMAPPED: u64 = u64::MAX;
/// A fault because what is mapped does not allow it, as an outcome.
pub(crate) const DENIED: u64 = u64::MAX - 1;

fn fault(fault: PageFault) -> u64 {
    if fault.protection { DENIED } else { UNMAPPED }
}

/// A read as an outcome.
pub(crate) fn read(cpu: &Cpu<'_>, va: u64) -> u64 {
    cpu.read(va).unwrap_or_else(fault)
}

/// A write as an outcome: 0 if it went through.
pub(crate) fn write(cpu: &Cpu<'_>, va: u64, value: u64) -> u64 {
    cpu.write(va, value).map_or_else(fault, |()| 0)
}

/// A fetch as an outcome: 0 if it went through.
pub(crate) fn fetch(cpu: &Cpu<'_>, va: u64) -> u64 {
    cpu.fetch(va).map_or_else(fault, |()| 0)
}

/// Every outcome, with its CPU, in the order in which operations ended.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) Vec<(u8, u64)>);

impl Observer<u64> for Seen {
    fn ended(&mut self, _: &Bus, cpu: u8, outcome: u64) {
        self.0.push((cpu, outcome));
    }
}

/// A machine, its stage and what was seen.
pub(crate) struct Rig {
    pub(crate) machine: Machine<Stage>,
    pub(crate) seen: Seen,
}

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        Self { machine: Machine::new(config, |bus| Stage::new(bus)), seen: Seen::default() }
    }

    pub(crate) fn calm() -> Self {
        Self::new(Config::default())
    }

    pub(crate) fn with(temperament: Temperament) -> Self {
        Self::new(Config { temperament, ..Config::default() })
    }

    pub(crate) fn cpus(cpus: u8) -> Self {
        Self::new(Config { cpus, ..Config::default() })
    }

    pub(crate) fn bus(&self) -> &Bus {
        self.machine.bus()
    }

    pub(crate) fn stage(&self) -> &Stage {
        self.machine.software()
    }

    pub(crate) fn map(&self, va: u64, flags: Flags) -> Frame {
        self.stage().map(self.bus(), va, flags)
    }

    pub(crate) fn entry(&self, va: u64, level: u8) -> Word {
        self.stage().entry(self.bus(), self.stage().root, va, level)
    }

    /// The entry of this level for an address, as memory holds it.
    pub(crate) fn peek(&self, va: u64, level: u8) -> Entry {
        Entry(self.bus().memory.peek(self.entry(va, level)))
    }

    /// Changes the entry of this level for an address at once and unseen by any walker, as another CPU's store would
    /// that drained long ago.
    pub(crate) fn set(&self, va: u64, level: u8, entry: Entry) {
        self.bus().boot_word(self.entry(va, level), entry.0);
    }

    pub(crate) fn var(&self, n: usize) -> u64 {
        self.bus().memory.value(self.stage().v(n))
    }

    /// Runs a program to its end and returns its outcome.
    pub(crate) fn run(&mut self, cpu: u8, program: Program) -> u64 {
        assert_eq!(self.machine.begin(cpu, program, None, &mut self.seen), Told::Ended);
        self.last(cpu)
    }

    /// Starts a program that is to pause there.
    pub(crate) fn begin(&mut self, cpu: u8, program: Program, pause: u16) -> Told {
        self.machine.begin(cpu, program, Some(Pause::At(pause)), &mut self.seen)
    }

    pub(crate) fn resume(&mut self, cpu: u8) -> Told {
        self.machine.resume(cpu, &mut self.seen)
    }

    pub(crate) fn deliver(&mut self, cpu: u8) -> Told {
        self.machine.deliver(cpu, None, None, &mut self.seen)
    }

    /// The last outcome on a CPU.
    pub(crate) fn last(&self, cpu: u8) -> u64 {
        self.seen.0.iter().rfind(|(on, _)| *on == cpu).expect("an operation ended here").1
    }

    pub(crate) fn alarms(&self) -> Vec<AlarmKind> {
        self.bus().alarms().iter().map(|alarm| alarm.kind.clone()).collect()
    }

    pub(crate) fn assert_quiet(&self) {
        assert_eq!(self.alarms(), []);
    }
}

/// A point, as a machine that paused tells it.
pub(crate) fn at(kind: PointKind, family: Family) -> Told {
    Told::Paused(Point { kind, family })
}
