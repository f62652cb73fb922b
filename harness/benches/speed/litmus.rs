//! Store buffering, the litmus of all litmus tests, beside shuttle and loom: the same protocol in the same run.
//!
//! ```text
//!   x = 1         y = 1
//!   read y        read x        may both read 0?
//! ```
//!
//! On x86-64 both may (SDM volume 3A, 8.2.3.4). One execution is one schedule with its reset. Ours is drawn at random
//! anew for each: which CPU begins, before which of its points each pauses or that it does not, who goes on first, and
//! when stores drain.

use crate::table::{Bar, Table};
use machine::{
    Bus, Config, Cpu, Family, Interrupt, Machine, Observer, Pause, Software, Temperament, VarArray,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 100;
const OURS: u32 = 10_000;
const SHUTTLES: u32 = 1_000;
/// Loom tries all schedules of a model, and then ends: so many models a round.
const LOOMS: u32 = 2;

struct StoreBuffering {
    flags: VarArray,
}

impl StoreBuffering {
    fn boot(bus: &Rc<Bus>) -> Self {
        Self { flags: bus.memory.vars(Family(16), 2) }
    }
}

impl Software for StoreBuffering {
    type Operation = ();
    type Outcome = u64;

    fn run(&self, cpu: &Cpu<'_>, (): ()) -> u64 {
        let me = usize::from(cpu.id());
        cpu.store(self.flags.at(me), 1);
        cpu.load(self.flags.at(1 - me))
    }

    fn interrupt(&self, _: &Cpu<'_>, _: Interrupt) {}

    /// It ends in no lock release and no scheduler.
    fn drains_at_end(&self, (): &()) -> bool {
        false
    }
}

/// What both read, once they did.
#[derive(Default)]
struct Read([Option<u64>; 2]);

impl Observer<u64> for Read {
    fn ended(&mut self, _: &Bus, cpu: u8, outcome: u64) {
        self.0[usize::from(cpu)] = Some(outcome);
    }
}

/// Plays schedule after schedule.
struct Player {
    machine: Machine<StoreBuffering>,
    config: Config,
    dice: Xoshiro256PlusPlus,
}

impl Player {
    fn new(seed: u64) -> Self {
        let temperament = Temperament::LAZY_STORES;
        let config = Config { cpus: 2, frames: 0, vars: 2, temperament, ..Config::default() };
        let machine = Machine::new(config, StoreBuffering::boot);
        Self { machine, config, dice: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// One schedule of a few pauses, as stories tell it. Returns what both read.
    fn with_pauses(&mut self) -> [u64; 2] {
        self.machine.reset(self.config, StoreBuffering::boot);
        let mut chance = self.dice.next_u64();
        let mut draw = |bits: u32| {
            let drawn = chance & ((1 << bits) - 1);
            chance >>= bits;
            drawn
        };
        let mut read = Read::default();
        let first = draw(1) as u8;
        for cpu in [first, 1 - first] {
            let pause = match draw(2) {
                0 => None,
                point => Some(Pause::At(point as u16)),
            };
            self.machine.begin(cpu, (), pause, &mut read);
            if draw(2) == 0 {
                self.machine.drain_stores(draw(1) as u8, 1);
            }
        }
        let first = draw(1) as u8;
        for cpu in [first, 1 - first] {
            self.machine.resume(cpu, &mut read);
            if draw(2) == 0 {
                self.machine.drain_stores(draw(1) as u8, 1);
            }
        }
        read.0.map(|value| value.expect("both have ended"))
    }

    /// One schedule in which a CPU is drawn anew before every access, as shuttle's scheduler does.
    fn with_a_switch_at_every_access(&mut self) -> [u64; 2] {
        self.machine.reset(self.config, StoreBuffering::boot);
        let mut chance = self.dice.next_u64();
        let mut read = Read::default();
        let mut next = [1, 1];
        while let Some(cpu) = [0, 1].into_iter().find(|cpu| read.0[*cpu].is_none()) {
            let cpu = if read.0.iter().all(Option::is_none) { (chance & 1) as usize } else { cpu };
            let drain = chance >> 1 & 7;
            chance >>= 4;
            let pause = Pause::At(next[cpu]);
            next[cpu] += 1;
            match next[cpu] {
                2 => self.machine.begin(cpu as u8, (), Some(pause), &mut read),
                _ => self.machine.resume_until(cpu as u8, pause, &mut read),
            };
            if drain < 2 {
                self.machine.drain_stores(drain as u8, 1);
            }
        }
        read.0.map(|value| value.expect("both have ended"))
    }
}

/// What came of some executions, from nothing.
#[derive(Debug)]
struct Run {
    start: Instant,
    executions: u32,
    /// How many showed the reordering, and when the first did.
    shown: u32,
    first: Option<Duration>,
    taken: Duration,
}

impl Run {
    fn begin() -> Self {
        Self { start: Instant::now(), executions: 0, shown: 0, first: None, taken: Duration::ZERO }
    }

    fn note(&mut self, read: [u64; 2]) {
        self.executions += 1;
        if read == [0, 0] {
            self.shown += 1;
            self.first.get_or_insert_with(|| self.start.elapsed());
        }
    }

    fn end(mut self) -> Self {
        self.taken = self.start.elapsed();
        self
    }
}

/// Ours.
fn ours(seed: u64, play: impl Fn(&mut Player) -> [u64; 2]) -> Run {
    let mut run = Run::begin();
    let mut player = Player::new(seed);
    (0..OURS).for_each(|_| run.note(play(&mut player)));
    run.end()
}

/// Shuttle's random scheduler. It takes every access for sequentially consistent, and says so unless it is told not to.
fn shuttles(seed: u64) -> Run {
    use shuttle::sync::atomic::AtomicU32 as Flag;

    let run = Arc::new(Mutex::new(Run::begin()));
    let noted = Arc::clone(&run);
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(seed, SHUTTLES as usize);
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    shuttle::Runner::new(scheduler, config).run(move || {
        let flags = Arc::new([Flag::new(0), Flag::new(0)]);
        let others = Arc::clone(&flags);
        let other = shuttle::thread::spawn(move || {
            others[1].store(1, Ordering::Relaxed);
            others[0].load(Ordering::Relaxed)
        });
        flags[0].store(1, Ordering::Relaxed);
        let mine = flags[1].load(Ordering::Relaxed);
        let its = other.join().expect("it does not panic");
        noted.lock().expect("nobody panics").note([mine.into(), its.into()]);
    });
    Arc::into_inner(run).expect("the runner is gone").into_inner().expect("nobody panics").end()
}

/// Loom, which tries every schedule in turn and not random ones. Its log is off.
fn looms() -> Run {
    use loom::sync::Arc as Shared;
    use loom::sync::atomic::AtomicU32 as Flag;

    let run = Arc::new(Mutex::new(Run::begin()));
    for _ in 0..LOOMS {
        let noted = Arc::clone(&run);
        loom::model::Builder::new().check(move || {
            let flags = Shared::new([Flag::new(0), Flag::new(0)]);
            let others = Shared::clone(&flags);
            let other = loom::thread::spawn(move || {
                others[1].store(1, Ordering::Relaxed);
                others[0].load(Ordering::Relaxed)
            });
            flags[0].store(1, Ordering::Relaxed);
            let mine = flags[1].load(Ordering::Relaxed);
            let its = other.join().expect("it does not panic");
            noted.lock().expect("nobody panics").note([mine.into(), its.into()]);
        });
    }
    Arc::into_inner(run).expect("the models are gone").into_inner().expect("nobody panics").end()
}

/// The best of all rounds of one contestant.
struct Contestant {
    name: &'static str,
    per_second: f64,
    executions: u32,
    shown: u32,
    first: Option<Duration>,
}

impl Contestant {
    fn new(name: &'static str) -> Self {
        Self { name, per_second: 0.0, executions: 0, shown: 0, first: None }
    }

    fn add(&mut self, run: &Run) {
        self.per_second = self.per_second.max(f64::from(run.executions) / run.taken.as_secs_f64());
        self.executions += run.executions;
        self.shown += run.shown;
        self.first = self.first.into_iter().chain(run.first).min();
    }

    fn tell(&self, table: &mut Table) {
        table.row(self.name, self.per_second, "executions/s", &Bar::None);
        match self.first {
            Some(first) => {
                let share = 100.0 * f64::from(self.shown) / f64::from(self.executions);
                table.row(
                    "    shows the reordering, from nothing, after",
                    first.as_secs_f64() * 1e6,
                    "us",
                    &Bar::None,
                );
                table.row("    and in this share of its executions", share, "%", &Bar::None);
            }
            None => table.row(
                "    never showed the reordering in",
                self.executions.into(),
                "executions",
                &Bar::None,
            ),
        }
    }
}

pub(crate) fn measure(table: &mut Table) {
    let mut pauses = Contestant::new("store buffering, ours, random pauses and drains");
    let mut switches = Contestant::new("store buffering, ours, a random CPU before every access");
    let mut shuttle = Contestant::new("store buffering, shuttle 0.9.9, random");
    let mut loom = Contestant::new("store buffering, loom 0.7.2, exhaustive");
    // Turn by turn, so that what else the computer does befalls all alike.
    for round in 0..u64::from(ROUNDS) {
        pauses.add(&ours(round, Player::with_pauses));
        switches.add(&ours(round, Player::with_a_switch_at_every_access));
        shuttle.add(&shuttles(round));
        loom.add(&looms());
    }
    for contestant in [&pauses, &switches, &shuttle, &loom] {
        contestant.tell(table);
    }
    let ratio = |theirs: &Contestant| pauses.per_second / theirs.per_second;
    table.row("ours with pauses against shuttle", ratio(&shuttle), "times", &Bar::AtLeast(10.0));
    table.row("ours with pauses against loom", ratio(&loom), "times", &Bar::AtLeast(100.0));
    table.row(
        "ours with switches against shuttle",
        switches.per_second / shuttle.per_second,
        "times",
        &Bar::None,
    );
}
