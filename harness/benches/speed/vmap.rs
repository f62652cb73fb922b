//! The vmap layer at real sizes: what a vmap and its vunmap cost beside a hundred to a million live areas.
//!
//! The kernel is driven by software of the bench's own, since the callers of stories have but a few slots. An area has
//! one page and its guard; the pages behind the areas are always the same few. What is unmapped is purged when the kernel
//! asks for it, and counts.
//!
//! Areas go in the order in which they came, where what grows is the work of the kernel; and drawn at random, where the
//! index of a million areas, 40 MB of it, is walked all over and waits for the memory of the computer. A `BTreeMap` of
//! as many keys shows how much of that is the computer's.

use crate::table::{Bar, Table, best, nanoseconds, time};
use impls::{Kernel, Native, Pfn, Protocol, Sizes, Task, Vpn};
use machine::{
    Background, Bus, Config, Cpu, Interrupt, Machine, Observer, Software, Standing, Temperament, Told, Wait,
};
use oracle::vocabulary::PageSlot;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const CPUS: u8 = 2;
const ROUNDS: u32 = 31;
/// Pairs in a round: so many that the kernel purges exactly once, since an area and its guard are two pages.
const PAIRS: u32 = Sizes::Real.lazy_max_pages(CPUS) as u32 / 2 + 1;
const LIVE: [u32; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// Chooses who goes.
struct Victims {
    oldest: usize,
    dice: Xoshiro256PlusPlus,
}

impl Victims {
    fn new() -> Self {
        Self { oldest: 0, dice: Xoshiro256PlusPlus::seed_from_u64(1) }
    }

    fn next(&mut self, live: usize, order: Order) -> usize {
        match order {
            Order::OldestFirst => {
                self.oldest = (self.oldest + 1) % live;
                self.oldest
            }
            Order::Random => (((self.dice.next_u64() >> 32) * live as u64) >> 32) as usize,
        }
    }
}

/// A driver that maps pages and unmaps them again.
struct Driver {
    kernel: Kernel<Native>,
    pages: [Pfn; 4],
    live: RefCell<Vec<Vpn>>,
    victims: RefCell<Victims>,
}

/// Which area is unmapped next.
#[derive(Clone, Copy)]
enum Order {
    OldestFirst,
    Random,
}

#[derive(Clone, Copy)]
enum Work {
    /// Map until so many areas are live.
    Fill(usize),
    /// So often: unmap a live area, map another.
    Pairs(u32, Order),
}

impl Driver {
    fn boot(bus: &Rc<Bus>) -> Self {
        let kernel = Kernel::boot(bus, Sizes::Real, Rc::new(Protocol::default()));
        let page = |slot| kernel.callers().page(PageSlot::new(slot)).expect("held from the start");
        let pages = [0, 1, 2, 3].map(page);
        Self { kernel, pages, live: RefCell::default(), victims: RefCell::new(Victims::new()) }
    }

    fn vmap(&self, cpu: &Cpu<'_>, turn: usize) -> impls::Vpn {
        let page = self.pages[turn % self.pages.len()];
        self.kernel.vmap(cpu, &[page]).expect("space and tables for two million pages")
    }

    fn work_if_asked(&self, cpu: &Cpu<'_>) {
        if self.kernel.work_pending(cpu.bus()) {
            self.kernel.run(cpu, Task::RunWork);
        }
    }
}

impl Software for Driver {
    type Operation = Work;
    type Outcome = ();

    fn run(&self, cpu: &Cpu<'_>, work: Work) {
        match work {
            Work::Fill(wanted) => {
                let mut live = self.live.borrow_mut();
                for turn in live.len()..wanted {
                    live.push(self.vmap(cpu, turn));
                }
            }
            Work::Pairs(count, order) => {
                let mut live = self.live.borrow_mut();
                let mut victims = self.victims.borrow_mut();
                for _ in 0..count {
                    let victim = victims.next(live.len(), order);
                    self.kernel.vunmap(cpu, live[victim]);
                    live[victim] = self.vmap(cpu, victim);
                    self.work_if_asked(cpu);
                }
            }
        }
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        self.kernel.interrupt(cpu, interrupt);
    }

    fn background(&self, standing: &Standing<'_>, wait: &Wait) -> Background {
        self.kernel.background(standing, wait)
    }
}

struct Nobody;

impl Observer<()> for Nobody {
    fn ended(&mut self, _: &Bus, _: u8, (): ()) {}
}

fn run(machine: &mut Machine<Driver>, work: Work) {
    assert_eq!(machine.begin(0, work, None, &mut Nobody), Told::Ended, "{:?}", machine.bus().alarms());
    assert!(!machine.bus().alarmed(), "{:?}", machine.bus().alarms());
}

pub(crate) fn measure(table: &mut Table) {
    let growth = f64::from(LIVE[LIVE.len() - 1]).ln() / f64::from(LIVE[0]).ln();
    tell(table, "unmapped oldest first", &kernel(Order::OldestFirst), &Bar::AtMost(growth));
    tell(table, "unmapped at random", &kernel(Order::Random), &Bar::None);
    tell(table, "for comparison, a BTreeMap at random", &btree_map(), &Bar::None);
}

fn tell(table: &mut Table, what: &str, figures: &[f64], growth: &Bar) {
    for (live, figure) in LIVE.iter().zip(figures) {
        table.row(&format!("{what}, {live} live"), *figure, "ns a pair", &Bar::None);
    }
    let times = figures[figures.len() - 1] / figures[0];
    table.row(&format!("{what}, growth"), times, "times", growth);
}

/// Nanoseconds for a vunmap and a vmap, for each number of live areas.
fn kernel(order: Order) -> Vec<f64> {
    let config =
        Config { steps: u32::MAX, ..Kernel::<Native>::config(Sizes::Real, CPUS, Temperament::empty()) };
    let mut machine = Machine::new(config, Driver::boot);
    let at = |live: u32| {
        run(&mut machine, Work::Fill(live as usize));
        // Until the free space looks as it will from now on.
        run(&mut machine, Work::Pairs((2 * live).min(500_000), order));
        nanoseconds(best(ROUNDS, || time(|| run(&mut machine, Work::Pairs(PAIRS, order)))), PAIRS)
    };
    LIVE.map(at).to_vec()
}

/// Nanoseconds to remove a key and insert another.
fn btree_map() -> Vec<f64> {
    let mut victims = Victims::new();
    let mut map = BTreeMap::new();
    let at = |live: u32| {
        map.extend((0..u64::from(live)).map(|key| (2 * key, key)));
        let mut keys: Vec<u64> = map.keys().copied().collect();
        let mut pairs = |count| {
            for _ in 0..count {
                let victim = victims.next(keys.len(), Order::Random);
                map.remove(&keys[victim]);
                keys[victim] ^= 1;
                map.insert(keys[victim], 0);
            }
        };
        pairs(live);
        nanoseconds(best(ROUNDS, || time(|| pairs(PAIRS))), PAIRS)
    };
    LIVE.map(at).to_vec()
}
