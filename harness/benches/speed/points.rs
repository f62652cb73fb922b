//! What the machine itself costs: points passed, pauses, interrupts, a new beginning. It uses the `machine` crate alone.

use crate::table::{Bar, Table, best, nanoseconds, time};
use machine::{
    Bus, Config, Cpu, Entry, Family, Flags, Frame, Interrupt, Machine, Observer, Pause, Role, Software,
    Temperament, Told, VarArray, Word,
};
use std::hint::black_box;
use std::rc::Rc;

const ROUNDS: u32 = 51;
/// Points in a row in one operation, where passing them is measured.
const MANY: u32 = 200_000;
/// Points of an operation that is paused.
const FEW: u32 = 10;
/// Operations in a row.
const OPERATIONS: u32 = 20_000;
/// The address that is read through the MMU.
const VA: u64 = 0x1234_5000;
const FAMILY: Family = Family(16);

/// Memory with one page mapped, and as many accesses as are asked for.
struct Accesses {
    vars: VarArray,
}

#[derive(Clone, Copy)]
enum Work {
    Nothing,
    Loads(u32),
    Stores(u32),
    /// Loads while this CPU's buffer holds stores, the newest to another variable.
    LoadsBehindStores(u32),
    Locked(u32),
    Reads(u32),
    Interrupts(u32),
    TouchFrames,
}

impl Accesses {
    fn boot(bus: &Rc<Bus>) -> Self {
        let flags = Flags::PRESENT | Flags::WRITABLE | Flags::ACCESSED | Flags::DIRTY;
        for level in 1..=4 {
            bus.memory.set_role(Frame(u32::from(level)), Role::Table(level));
            let entry = Entry::new(Frame(u32::from(level) - 1), flags);
            bus.boot_word(Word::new(Frame(u32::from(level)), machine::paging::index(VA, level)), entry.0);
        }
        bus.memory.set_role(Frame(0), Role::Data);
        for cpu in 0..bus.cpus() {
            bus.boot_cr3(cpu, machine::Cr3 { root: Frame(4), pcid: 0 });
        }
        Self { vars: bus.memory.vars(FAMILY, 16) }
    }
}

impl Software for Accesses {
    type Operation = Work;
    type Outcome = u64;

    fn run(&self, cpu: &Cpu<'_>, work: Work) -> u64 {
        let var = self.vars.at(0);
        let mut sum = 0;
        match work {
            Work::Nothing => {}
            Work::Loads(count) => (0..count).for_each(|_| sum += cpu.load(var)),
            Work::Stores(count) => (0..count).for_each(|value| cpu.store(var, u64::from(value))),
            Work::LoadsBehindStores(count) => {
                (0..4).for_each(|other| cpu.store(self.vars.at(8 + other), 1));
                (0..count).for_each(|_| sum += cpu.load(var));
            }
            Work::Locked(count) => (0..count).for_each(|_| sum += cpu.fetch_add(var, 1)),
            Work::Reads(count) => {
                (0..count).for_each(|_| sum += cpu.read(VA).expect("it is mapped"));
            }
            Work::Interrupts(count) => (0..count).for_each(|_| cpu.send_ipi(0, 0)),
            Work::TouchFrames => {
                (8..16).for_each(|frame| {
                    cpu.set_role(Frame(frame), Role::Data);
                    cpu.store_word(Word::new(Frame(frame), 3), Family::DATA, 1);
                });
            }
        }
        sum
    }

    fn interrupt(&self, _: &Cpu<'_>, _: Interrupt) {}
}

struct Nobody;

impl Observer<u64> for Nobody {
    fn ended(&mut self, _: &Bus, _: u8, outcome: u64) {
        black_box(outcome);
    }
}

struct Bench {
    machine: Machine<Accesses>,
    config: Config,
}

impl Bench {
    fn new(temperament: Temperament) -> Self {
        let config = Config { frames: 32, vars: 32, temperament, steps: u32::MAX, ..Config::default() };
        Self { machine: Machine::new(config, Accesses::boot), config }
    }

    fn begin(&mut self, work: Work, pause: Option<u16>) -> Told {
        self.machine.begin(1, work, pause.map(Pause::At), &mut Nobody)
    }

    fn run_whole(&mut self, work: Work) {
        assert_eq!(self.begin(work, None), Told::Ended);
    }

    fn reset(&mut self) {
        self.machine.reset(self.config, Accesses::boot);
    }
}

/// Nanoseconds for each of so many points, in operations of so many.
fn passed(temperament: Temperament, work: Work) -> f64 {
    let mut bench = Bench::new(temperament);
    nanoseconds(best(ROUNDS, || time(|| bench.run_whole(work))), MANY)
}

/// Nanoseconds for something that is done many times in a row to a machine.
fn repeated(mut bench: Bench, mut once: impl FnMut(&mut Bench)) -> f64 {
    let round = || time(|| (0..OPERATIONS).for_each(|_| once(&mut bench)));
    nanoseconds(best(ROUNDS, round), OPERATIONS)
}

pub(crate) fn measure(table: &mut Table) {
    passing(table);
    pausing(table);
    beginning_again(table);
}

/// Points that nobody pauses at.
fn passing(table: &mut Table) {
    let (calm, lazy) = (Temperament::empty(), Temperament::LAZY_STORES);
    for (what, temperament, work) in [
        ("load, not paused", calm, Work::Loads(MANY)),
        ("store, not paused", calm, Work::Stores(MANY)),
        ("locked addition, not paused", calm, Work::Locked(MANY)),
        ("read through the MMU, TLB hit, not paused", calm, Work::Reads(MANY)),
        ("load, not paused, lazy stores", lazy, Work::Loads(MANY)),
        ("load behind 4 buffered stores, not paused, lazy stores", lazy, Work::LoadsBehindStores(MANY)),
        ("store into a full buffer, not paused, lazy stores", lazy, Work::Stores(MANY)),
        ("locked addition, not paused, lazy stores", lazy, Work::Locked(MANY)),
        ("read through the MMU, TLB hit, not paused, lazy stores", lazy, Work::Reads(MANY)),
    ] {
        table.row(what, passed(temperament, work), "ns a point", &Bar::AtMost(10.0));
    }
}

/// Operations, with pauses and without, and interrupts.
fn pausing(table: &mut Table) {
    let calm = || Bench::new(Temperament::empty());
    let empty = repeated(calm(), |bench| bench.run_whole(Work::Nothing));
    let straight = repeated(calm(), |bench| bench.run_whole(Work::Loads(FEW)));
    let once = repeated(calm(), |bench| {
        assert!(matches!(bench.begin(Work::Loads(FEW), Some(5)), Told::Paused(_)));
        assert_eq!(bench.machine.resume(1, &mut Nobody), Told::Ended);
    });
    let everywhere = repeated(calm(), |bench| {
        let mut told = bench.begin(Work::Loads(FEW), Some(1));
        for point in 2..=FEW as u16 {
            assert!(matches!(told, Told::Paused(_)));
            told = bench.machine.resume_until(1, Pause::At(point), &mut Nobody);
        }
        assert!(matches!(told, Told::Paused(_)));
        assert_eq!(bench.machine.resume(1, &mut Nobody), Told::Ended);
    });
    let delivered = repeated(calm(), |bench| {
        bench.run_whole(Work::Interrupts(1));
        assert_eq!(bench.machine.deliver(0, None, None, &mut Nobody), Told::Ended);
    });
    let nested = repeated(calm(), |bench| {
        assert!(matches!(
            bench.machine.begin(0, Work::Loads(FEW), Some(Pause::At(5)), &mut Nobody),
            Told::Paused(_)
        ));
        bench.run_whole(Work::Interrupts(1));
        assert_eq!(bench.machine.deliver(0, None, None, &mut Nobody), Told::Ended);
        assert_eq!(bench.machine.resume(0, &mut Nobody), Told::Ended);
    });
    table.row("an operation that does nothing", empty, "ns", &Bar::None);
    table.row("an operation of 10 loads", straight, "ns", &Bar::None);
    table.row("the same, paused once and continued", once, "ns", &Bar::None);
    table.row("the same, paused before every point", everywhere, "ns", &Bar::None);
    table.row("a pause and its continue", once - straight, "ns", &Bar::None);
    table.row("an interrupt sent by one operation, taken by an idle CPU", delivered, "ns", &Bar::None);
    table.row("the same, taken by a paused operation that then ends", nested, "ns", &Bar::None);
}

/// A machine that begins again.
fn beginning_again(table: &mut Table) {
    let calm = || Bench::new(Temperament::empty());
    let untouched = repeated(calm(), Bench::reset);
    let touch = repeated(calm(), |bench| bench.run_whole(Work::TouchFrames));
    let touched = repeated(calm(), |bench| {
        bench.run_whole(Work::TouchFrames);
        bench.reset();
    });
    let given_up = repeated(calm(), |bench| {
        assert!(matches!(bench.begin(Work::Loads(FEW), Some(5)), Told::Paused(_)));
        bench.reset();
    });
    table.row("reset and boot, 2 CPUs, tables for one page", untouched, "ns", &Bar::None);
    table.row("the same after a story that touched 8 more frames", touched - touch, "ns", &Bar::None);
    table.row("the same with an operation that is given up", given_up, "ns", &Bar::None);
}
