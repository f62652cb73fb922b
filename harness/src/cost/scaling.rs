//! Eager unmapping against lazy areas against per-CPU blocks, for one CPU and more that map four pages, touch and unmap
//! them, at real sizes: the shape that the rewrite of seed 004 was made for.
//!
//! All CPUs run the same loop, in the order of their clocks. What is measured begins when a flush has emptied the lazy list
//! and ends when a later one does, so that only whole cycles are counted; eager unmapping has none, and is measured over a
//! fixed number of rounds. What was before is not counted: a kernel that has run for a while has made the tables that it
//! comes back to, and under Xen each of them was drained for.

use impls::protocol::{KernelTables, UnmapFlush};
use impls::{Designs, Native, PvMmu, Sizes, Task, Xen};
use machine::Counted;
use oracle::vocabulary::{AreaSlot, Call, Mapping, Operation, PageList, PageSlot, Place, RamSlot, Token};
use serde::Serialize;
use std::collections::BTreeMap;

use super::drain::{PAGES, booted};
use super::engine::{self, Engine, Moved, Snapshot};
use super::{Asked, Broken, Model, named, rounded, side_by_side};
use crate::story::Backends;

/// Rounds of each CPU that are measured where nothing happens in cycles, and those before them that are not.
const ROUNDS: (u64, u64) = (1000, 100);

/// The same where only the growth of times is asked for: as many as a block lasts.
const BRIEF: (u64, u64) = (256, 20);

/// Cycles from flush to flush that are measured where the lazy threshold makes them, of areas and of blocks. Blocks come onto
/// the lazy list one at a time, so that one cycle is a block longer or shorter than another. Before them as many must have
/// passed in which no table was made.
const CYCLES: (u64, u64) = (1, 8);

/// Rounds of all CPUs together after which a kernel that still makes tables is taken to go on with that.
const PATIENCE: u64 = 1_000_000;

/// Rounds of all CPUs together that are measured where something else than the threshold flushes, some hundred times, and
/// those before them that are not.
const AMID_DRAINS: (u64, u64) = (12_000, 2_000);

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

    fn designs(self, tables: Tables) -> Designs {
        let unmap_flush = if self == Self::Eager { UnmapFlush::Eager } else { UnmapFlush::Lazy };
        let kernel_tables = match tables {
            Tables::Freed => KernelTables::Freed,
            Tables::FreedAtOnce => KernelTables::FreedAtOnce,
        };
        Designs { unmap_flush, kernel_tables, ..Designs::default() }
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

/// What becomes of the lowest-level tables that no area uses any more, by the names of the design point `kernel_tables`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tables {
    /// The default: they are freed but for those of the reserve, which is as large as what may be outstanding.
    Freed,
    /// All are freed with the flush that frees the last area; the next area there needs new ones.
    FreedAtOnce,
}

/// How one scheme did.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The backend.
    pub backend: &'static str,
    /// What becomes of tables that are not used.
    pub tables: Tables,
    /// How many CPUs.
    pub cpus: u8,
    /// The scheme.
    pub scheme: Scheme,
    /// Rounds of all CPUs together before those that were measured.
    pub rounds_before: u64,
    /// Rounds of map, touch and unmap that were measured, of all CPUs together.
    pub rounds: u64,
    /// Whether what was measured begins and ends as it should. False where whole cycles were to be counted, and the kernel
    /// was still making tables, or had not flushed as often, when the patience ran out.
    pub steady: bool,
    /// Time that a CPU needs for a round, in nanoseconds, handlers and deferred work included.
    pub ns_per_round: f64,
    /// Of this, waiting.
    pub waited_ns_per_round: f64,
    /// Of this, in handlers.
    pub stolen_ns_per_round: f64,
    /// Interrupts sent for each round.
    pub ipis_per_round: f64,
    /// Page-table pages allocated, by the pages zeroed: nothing else allocates here.
    pub table_pages: u64,
    /// Rounds of all CPUs together for each flush on all of them, as the sizes alone predict: by the lazy threshold.
    pub threshold_rounds_per_flush: u64,
    /// The same, as is to be expected of what was counted. Under Xen each page-table page is drained for when it comes, and
    /// flushed for by the hypervisor when it goes; where table pages flush more often than the threshold,
    /// they alone count.
    pub predicted_rounds_per_flush: f64,
    /// The same as measured: by the interrupts, of which each flush takes one for each other CPU, and on one CPU by the
    /// full flushes. Of eager unmapping, which is known by its flushes, 1.
    pub measured_rounds_per_flush: f64,
    /// What was counted on all CPUs, by name.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Row {
    /// Where it was measured.
    pub fn ground(&self) -> String {
        match self.tables {
            Tables::Freed => self.backend.to_owned(),
            Tables::FreedAtOnce => format!("{}, tables freed at once", self.backend),
        }
    }

    /// How often this happened for each round.
    #[expect(clippy::cast_precision_loss, reason = "some thousand rounds")]
    pub fn per_round(&self, what: Counted) -> f64 {
        self.counts.get(what.name()).copied().unwrap_or(0) as f64 / self.rounds as f64
    }
}

/// On what the schemes are compared: the kernel as it is by default, and what it would cost to have no reserve of tables.
/// Under Xen a page that becomes a page table has all aliases drained, and as lazy areas spread over the space that comes
/// long before the threshold, if they need tables anew there after each flush.
const GROUNDS: [(Backends, Tables); 3] =
    [(Backends::NATIVE, Tables::Freed), (Backends::XEN, Tables::Freed), (Backends::XEN, Tables::FreedAtOnce)];

/// How long is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Span {
    /// Whole cycles from flush to flush.
    Cycles,
    /// Some rounds, which is enough for how the times grow.
    Brief,
}

/// Makes every measurement.
pub fn measure(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Vec<Row>, Broken> {
    measure_for(asked, &Scheme::ALL, Span::Cycles, heard)
}

/// Measures the two schemes of which it is claimed how they grow, and not for whole cycles.
pub(super) fn measure_briefly(asked: &Asked) -> Result<Vec<Row>, Broken> {
    measure_for(asked, &[Scheme::Eager, Scheme::Blocks], Span::Brief, &mut |_| {})
}

fn measure_for(
    asked: &Asked,
    schemes: &[Scheme],
    span: Span,
    heard: &mut dyn FnMut(String),
) -> Result<Vec<Row>, Broken> {
    let mut cases = Vec::new();
    for (backend, tables) in GROUNDS.into_iter().filter(|(backend, _)| asked.backends.contains(*backend)) {
        for scheme in schemes.iter().copied() {
            cases.extend(asked.cpus.iter().map(|cpus| (backend, tables, scheme, *cpus)));
        }
    }
    let mut tell = |(backend, _, scheme, cpus): &(Backends, Tables, Scheme, u8)| {
        heard(format!("scaling: {} on {}, {cpus} CPUs", scheme.name(), backend_name(*backend)));
    };
    let rows = side_by_side(&cases, &mut tell, |(backend, tables, scheme, cpus)| {
        if *backend == Backends::NATIVE {
            measure_one::<Native>(*scheme, *tables, *cpus, span, &asked.model)
        } else {
            measure_one::<Xen>(*scheme, *tables, *cpus, span, &asked.model)
        }
    });
    rows.into_iter().collect()
}

const fn backend_name(backend: Backends) -> &'static str {
    if backend.contains(Backends::NATIVE) { Native::NAME } else { Xen::NAME }
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
    /// Purges that the worker made, which it does when the threshold is passed.
    purges: u64,
    /// The cycles, from each of them to the next and up to the last, in which no table was made.
    quiet: u64,
    /// How often everything was flushed on any CPU, when the worker was done last.
    seen_flushed: u64,
    /// Table pages that were made until the worker was done last.
    seen_made: u64,
}

fn measure_one<P: PvMmu>(
    scheme: Scheme,
    tables: Tables,
    cpus: u8,
    span: Span,
    model: &Model,
) -> Result<Row, Broken> {
    let sizes = Sizes::Real;
    let mut loops = Loops::<P>::prepared(scheme, tables, cpus, model)?;
    let all = u64::from(cpus);
    let measured = if span == Span::Brief {
        loops.between(BRIEF.1 * all, BRIEF.0 * all)?
    } else if scheme == Scheme::Eager {
        loops.between(ROUNDS.1 * all, ROUNDS.0 * all)?
    } else if P::TABLES_ALLOW_NO_ALIAS && tables == Tables::FreedAtOnce {
        loops.between(AMID_DRAINS.1, AMID_DRAINS.0)?
    } else {
        let cycles = if scheme == Scheme::Lazy { CYCLES.0 } else { CYCLES.1 };
        loops.whole_cycles(cycles, PATIENCE)?
    };
    Ok(row::<P>(scheme, tables, scheme.rounds_per_flush(sizes, cpus), &measured))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn row<P: PvMmu>(
    scheme: Scheme,
    tables: Tables,
    threshold: u64,
    Measured { start, end, steady }: &Measured,
) -> Row {
    let (before, after) = (&start.snapshot, &end.snapshot);
    let cpus = after.clocks.len() as u8;
    let rounds = end.rounds - start.rounds;
    let counts = after.counts.clone() - &before.counts;
    let per_round = |now: &[u64], then: &[u64]| rounded(Snapshot::grown(now, then) / rounds as f64);
    let flushes = match (scheme, cpus) {
        // Each unmap is one, of a few pages.
        (Scheme::Eager, _) => rounds as f64,
        (_, 1) => counts.of(Counted::FlushGlobal) as f64,
        _ => counts.ipis() as f64 / f64::from(cpus - 1),
    };
    let table_pages = counts.of(Counted::Cleared);
    let drains = if P::TABLES_ALLOW_NO_ALIAS { 2 * table_pages } else { 0 };
    Row {
        backend: P::NAME,
        tables,
        cpus,
        scheme,
        rounds_before: start.rounds,
        rounds,
        steady: *steady,
        ns_per_round: per_round(&after.clocks, &before.clocks),
        waited_ns_per_round: per_round(&after.waited, &before.waited),
        stolen_ns_per_round: per_round(&after.stolen, &before.stolen),
        ipis_per_round: (counts.ipis() as f64 / rounds as f64 * 1e6).round() / 1e6,
        table_pages,
        threshold_rounds_per_flush: threshold,
        predicted_rounds_per_flush: rounded((rounds as f64 / drains as f64).min(threshold as f64)),
        measured_rounds_per_flush: rounded(rounds as f64 / flushes),
        counts: named(&counts),
    }
}

/// A moment of the loops.
struct Mark {
    rounds: u64,
    snapshot: Snapshot,
}

/// What is measured: from one moment to another.
struct Measured {
    start: Mark,
    end: Mark,
    /// See [`Row::steady`].
    steady: bool,
}

impl<P: PvMmu> Loops<P> {
    /// Each CPU gets two pages of its own; it maps each twice, as the callers have no more slots. It has come to another
    /// place of its block than the others: on a computer that has run for a while they do not use theirs up together.
    fn prepared(scheme: Scheme, tables: Tables, cpus: u8, model: &Model) -> Result<Self, Broken> {
        let engine = booted::<P>(cpus, scheme.designs(tables), model)?;
        let turns = vec![Turn::Map; usize::from(cpus)];
        let mut loops = Self {
            engine,
            scheme,
            turns,
            working: 0,
            rounds: 0,
            purges: 0,
            quiet: 0,
            seen_flushed: 0,
            seen_made: 0,
        };
        for page in 4..2 * cpus {
            loops.engine.call(0, Operation::AllocPage { page: PageSlot::new(page) })?;
        }
        if scheme == Scheme::Blocks {
            let rounds = Sizes::Real.block_slots() / u32::from(PAGES);
            for cpu in 0..cpus {
                for _ in 0..rounds * u32::from(cpu) / u32::from(cpus) {
                    loops.engine.call(cpu, loops.map(cpu))?;
                    loops.engine.call(cpu, loops.unmap(cpu))?;
                }
            }
        }
        loops.seen_flushed = loops.counted(Counted::FlushGlobal);
        loops.seen_made = loops.counted(Counted::Cleared);
        Ok(loops)
    }

    /// This many rounds, after `first` others.
    fn between(&mut self, first: u64, rounds: u64) -> Result<Measured, Broken> {
        let start = self.until(|loops| loops.rounds >= first)?;
        let end = self.until(|loops| loops.rounds >= first + rounds)?;
        Ok(Measured { start, end, steady: true })
    }

    /// This many cycles, after as many in which no table was made. When `patience` rounds have brought neither, it
    /// measures what there is instead.
    fn whole_cycles(&mut self, cycles: u64, patience: u64) -> Result<Measured, Broken> {
        let start = self.until(|loops| loops.quiet >= cycles || loops.rounds >= patience)?;
        let settled = self.quiet >= cycles;
        let purges = self.purges + cycles;
        let end = self.until(|loops| loops.purges == purges || loops.rounds >= 2 * patience)?;
        Ok(Measured { start, end, steady: settled && self.purges == purges })
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
        match self.turns[usize::from(cpu)] {
            Turn::Map => self.map(cpu),
            Turn::Touch(page) => {
                let mapping = match self.scheme {
                    Scheme::Blocks => Mapping::Ram(RamSlot::new(cpu)),
                    Scheme::Eager | Scheme::Lazy => Mapping::Area(AreaSlot::new(cpu)),
                };
                Operation::Write { place: Place { mapping, page }, token: Token(1) }
            }
            Turn::Unmap => self.unmap(cpu),
        }
    }

    fn map(&self, cpu: u8) -> Operation {
        let pages = PageList::new((0..PAGES).map(|page| PageSlot::new(2 * cpu + page % 2)));
        match self.scheme {
            Scheme::Blocks => Operation::MapRam { pages, ram: RamSlot::new(cpu) },
            Scheme::Eager | Scheme::Lazy => Operation::Vmap { pages, area: AreaSlot::new(cpu) },
        }
    }

    fn unmap(&self, cpu: u8) -> Operation {
        match self.scheme {
            Scheme::Blocks => Operation::UnmapRam { ram: RamSlot::new(cpu) },
            Scheme::Eager | Scheme::Lazy => Operation::Vunmap { area: AreaSlot::new(cpu) },
        }
    }

    fn counted(&self, what: Counted) -> u64 {
        self.engine.meter(|meter| meter.total().of(what))
    }

    /// A task ended. Returns whether a round or a flush did.
    fn ended(&mut self, cpu: u8) -> bool {
        if self.working & 1 << cpu != 0 {
            self.working &= !(1 << cpu);
            let flushed = self.counted(Counted::FlushGlobal);
            let purged = flushed != self.seen_flushed;
            self.seen_flushed = flushed;
            if purged {
                let made = self.counted(Counted::Cleared);
                self.quiet = if made == self.seen_made { self.quiet + 1 } else { 0 };
                self.seen_made = made;
                self.purges += 1;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(patience: u64) -> Measured {
        let mut loops = Loops::<Native>::prepared(Scheme::Lazy, Tables::Freed, 1, &Model::default())
            .expect("the kernels get through");
        loops.whole_cycles(CYCLES.0, patience).expect("the kernels get through")
    }

    #[test]
    fn where_patience_runs_out_before_a_cycle_has_passed_that_is_said() {
        let cycle = Scheme::Lazy.rounds_per_flush(Sizes::Real, 1);
        let whole = measured(PATIENCE);
        assert!(whole.steady);
        assert_eq!(whole.end.rounds - whole.start.rounds, cycle);
        // In the midst of the first cycle; and of that which was to be measured.
        for patience in [cycle / 2, whole.start.rounds - cycle / 4] {
            let cut = measured(patience);
            assert!(!cut.steady, "{patience}");
            assert_eq!(cut.start.rounds, patience);
        }
    }
}
