//! Eager unmapping against lazy areas against per-CPU blocks, for one CPU and more that map four pages, touch and unmap
//! them, at real sizes: the shape that the rewrite of seed 004 was made for.
//!
//! All CPUs run the same loop, in the order of their clocks. What is measured begins when a first flush has emptied the
//! lazy list and ends when a later one does, so that only whole cycles are counted; eager unmapping has none, and is
//! measured over a fixed number of rounds.

use impls::protocol::{TableDrain, UnmapFlush};
use impls::{Designs, Native, PvMmu, Sizes, Task, Xen};
use machine::Counted;
use oracle::vocabulary::{AreaSlot, Call, Mapping, Operation, PageList, PageSlot, Place, RamSlot, Token};
use serde::Serialize;
use std::collections::BTreeMap;

use super::drain::{PAGES, booted};
use super::engine::{self, Engine, Moved, Snapshot};
use super::{Asked, Broken, Model, named, rounded};
use crate::story::Backends;

/// Rounds of each CPU that are measured where nothing happens in cycles, and those before them that are not.
const ROUNDS: (u64, u64) = (200, 20);

/// A guard page follows each area.
const GUARD: u64 = 1;

/// A scheme of unmapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Each unmap is flushed everywhere at once.
    Eager,
    /// Areas are unmapped lazily, and flushed together.
    Lazy,
    /// Small mappings take slots of per-CPU blocks, which are flushed with the areas.
    Blocks,
}

impl Scheme {
    /// Every scheme, the oldest first.
    pub const ALL: [Self; 3] = [Self::Eager, Self::Lazy, Self::Blocks];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Lazy => "lazy",
            Self::Blocks => "blocks",
        }
    }

    fn designs(self) -> Designs {
        let unmap_flush = if self == Self::Eager { UnmapFlush::Eager } else { UnmapFlush::Lazy };
        Designs { unmap_flush, ..Designs::default() }
    }

    /// After how many rounds of all CPUs together the threshold has everything flushed, as the sizes alone predict: the
    /// first that brings the lazy list above it.
    fn rounds_per_flush(self, sizes: Sizes, cpus: u8) -> u64 {
        let most = sizes.lazy_max_pages(cpus);
        let slots = u64::from(sizes.block_slots());
        match self {
            Self::Eager => 1,
            Self::Lazy => most / (u64::from(PAGES) + GUARD) + 1,
            // A block goes onto the list when all its slots were used.
            Self::Blocks => (most / slots + 1) * (slots / u64::from(PAGES)),
        }
    }
}

/// How one scheme did.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The backend, with the designs that are not the default.
    pub backend: &'static str,
    /// How many CPUs.
    pub cpus: u8,
    /// The scheme.
    pub scheme: Scheme,
    /// Rounds of map, touch and unmap that were measured, of all CPUs together.
    pub rounds: u64,
    /// Time that a CPU needs for a round, in nanoseconds, handlers and deferred work included.
    pub ns_per_round: f64,
    /// Of this, waiting.
    pub waited_ns_per_round: f64,
    /// Of this, in handlers.
    pub stolen_ns_per_round: f64,
    /// Interrupts sent for each round.
    pub ipis_per_round: f64,
    /// Rounds of all CPUs together for each flush on all of them, as the lazy threshold predicts.
    pub predicted_rounds_per_flush: u64,
    /// The same as measured, by the flushes counted; of eager unmapping, which is known by its flushes, 1.
    pub measured_rounds_per_flush: f64,
    /// What was counted on all CPUs, by name.
    pub counts: BTreeMap<&'static str, u64>,
}

/// On what the schemes are compared. Under Xen a page that becomes a page table has all aliases drained by default, and
/// as lazy areas spread over fresh space that comes long before the threshold; so it is measured without that too, which
/// is correct as long as vunmap clears the entries.
const GROUNDS: [(Backends, &str, TableDrain); 3] = [
    (Backends::NATIVE, "native", TableDrain::Always),
    (Backends::XEN, "xen", TableDrain::Always),
    (Backends::XEN, "xen table_drain=never", TableDrain::Never),
];

/// Makes every measurement.
pub fn measure(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Vec<Row>, Broken> {
    let mut rows = Vec::new();
    for (backend, ground, table_drain) in GROUNDS {
        if !asked.backends.contains(backend) {
            continue;
        }
        for scheme in Scheme::ALL {
            let designs = Designs { table_drain, ..scheme.designs() };
            for cpus in &asked.cpus {
                heard(format!("scaling: {} on {ground}, {cpus} CPUs", scheme.name()));
                let measured = if backend == Backends::NATIVE {
                    measure_one::<Native>(scheme, designs, *cpus, Sizes::Real, &asked.model)?
                } else {
                    measure_one::<Xen>(scheme, designs, *cpus, Sizes::Real, &asked.model)?
                };
                rows.push(Row { backend: ground, ..measured });
            }
        }
    }
    Ok(rows)
}

/// What a CPU does next.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Map,
    Touch(u8),
    Unmap,
}

/// All CPUs in their loops.
struct Loops<P: PvMmu> {
    engine: Engine<P>,
    scheme: Scheme,
    turns: Vec<Turn>,
    /// CPUs that carry out deferred work, a bit each.
    working: u8,
    rounds: u64,
    /// Purges that the worker made.
    purges: u64,
    /// How often everything was flushed on any CPU, when the worker was done last.
    seen_flushed: u64,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn measure_one<P: PvMmu>(
    scheme: Scheme,
    designs: Designs,
    cpus: u8,
    sizes: Sizes,
    model: &Model,
) -> Result<Row, Broken> {
    let engine = booted::<P>(cpus, designs, model)?;
    let turns = vec![Turn::Map; usize::from(cpus)];
    let mut loops = Loops { engine, scheme, turns, working: 0, rounds: 0, purges: 0, seen_flushed: 0 };
    loops.prepare()?;
    let predicted = scheme.rounds_per_flush(sizes, cpus);
    let all = u64::from(cpus);
    let (start, end) = if scheme == Scheme::Eager {
        let (rounds, first) = ROUNDS;
        let start = loops.until(|loops| loops.rounds >= first * all)?;
        (start, loops.until(|loops| loops.rounds >= (first + rounds) * all)?)
    } else {
        // Where something else flushes before the threshold is reached, there are no whole cycles to count.
        let most = predicted + predicted / 10;
        let start = loops.until(|loops| loops.purges >= 1 || loops.rounds >= most)?;
        let last = start.rounds + most;
        (start, loops.until(|loops| loops.purges >= 2 || loops.rounds >= last)?)
    };
    let (before, after) = (start.snapshot, end.snapshot);
    let rounds = end.rounds - start.rounds;
    let counts = after.counts - &before.counts;
    let ipis = counts.ipis() as f64 / rounds as f64;
    let per_round = |now: &[u64], then: &[u64]| rounded(Snapshot::grown(now, then) / rounds as f64);
    let flushes = match scheme {
        // Each unmap is one, of a few pages.
        Scheme::Eager => rounds as f64,
        Scheme::Lazy | Scheme::Blocks => counts.of(Counted::FlushGlobal) as f64 / f64::from(cpus),
    };
    Ok(Row {
        backend: P::NAME,
        cpus,
        scheme,
        rounds,
        ns_per_round: per_round(&after.clocks, &before.clocks),
        waited_ns_per_round: per_round(&after.waited, &before.waited),
        stolen_ns_per_round: per_round(&after.stolen, &before.stolen),
        ipis_per_round: (ipis * 1e6).round() / 1e6,
        predicted_rounds_per_flush: predicted,
        measured_rounds_per_flush: rounded(rounds as f64 / flushes),
        counts: named(&counts),
    })
}

/// A moment of the loops.
struct Mark {
    rounds: u64,
    snapshot: Snapshot,
}

impl<P: PvMmu> Loops<P> {
    /// Each CPU gets two pages of its own; it maps each twice, as the callers have no more slots.
    fn prepare(&mut self) -> Result<(), Broken> {
        for page in 4..2 * self.engine.cpus() {
            self.engine.call(0, Operation::AllocPage { page: PageSlot::new(page) })?;
        }
        Ok(())
    }

    /// Runs until a round or a flush after which this holds.
    fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<Mark, Broken> {
        loop {
            for cpu in 0..self.engine.cpus() {
                if self.engine.free(cpu) {
                    self.begin_next(cpu)?;
                }
            }
            let Moved::Ended(cpu, outcome) = self.engine.advance()? else { continue };
            if engine::done(outcome).is_none() {
                return Err(Broken(format!("{} of c{cpu} ended as {outcome:?}", self.operation(cpu).name())));
            }
            if self.ended(cpu) && done(self) {
                let snapshot = self.engine.snapshot();
                return Ok(Mark { rounds: self.rounds, snapshot });
            }
        }
    }

    fn begin_next(&mut self, cpu: u8) -> Result<(), Broken> {
        // The worker runs where it was wanted last, before anything else does.
        let task = if self.engine.work_pending() && self.working == 0 {
            self.working |= 1 << cpu;
            Task::RunWork
        } else {
            Task::Call(Call { operation: self.operation(cpu), irqs_off: false })
        };
        match self.engine.start(cpu, task)? {
            Moved::Ended(..) => Err(Broken(format!("{task:?} has no points"))),
            Moved::On | Moved::Nothing => Ok(()),
        }
    }

    fn operation(&self, cpu: u8) -> Operation {
        let (area, ram) = (AreaSlot::new(cpu), RamSlot::new(cpu));
        let blocks = self.scheme == Scheme::Blocks;
        match self.turns[usize::from(cpu)] {
            Turn::Map => {
                let pages = PageList::new((0..PAGES).map(|page| PageSlot::new(2 * cpu + page % 2)));
                if blocks { Operation::MapRam { pages, ram } } else { Operation::Vmap { pages, area } }
            }
            Turn::Touch(page) => {
                let mapping = if blocks { Mapping::Ram(ram) } else { Mapping::Area(area) };
                Operation::Write { place: Place { mapping, page }, token: Token(1) }
            }
            Turn::Unmap if blocks => Operation::UnmapRam { ram },
            Turn::Unmap => Operation::Vunmap { area },
        }
    }

    fn flushed_everything(&self) -> u64 {
        self.engine.meter(|meter| meter.total().of(Counted::FlushGlobal))
    }

    /// A task ended. Returns whether a round or a flush did.
    fn ended(&mut self, cpu: u8) -> bool {
        if self.working & 1 << cpu != 0 {
            self.working &= !(1 << cpu);
            let flushed = self.flushed_everything();
            let purged = flushed != self.seen_flushed;
            self.seen_flushed = flushed;
            self.purges += u64::from(purged);
            return purged;
        }
        let turn = &mut self.turns[usize::from(cpu)];
        *turn = match *turn {
            Turn::Map => Turn::Touch(0),
            Turn::Touch(page) if page + 1 < PAGES => Turn::Touch(page + 1),
            Turn::Touch(_) => Turn::Unmap,
            Turn::Unmap => Turn::Map,
        };
        let round = matches!(turn, Turn::Map);
        self.rounds += u64::from(round);
        round
    }
}
