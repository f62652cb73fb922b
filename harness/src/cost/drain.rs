//! What a drain costs with nothing, one, and many lazily unmapped areas outstanding, against one eager unmap.
//!
//! Seed 004 claims: with nothing outstanding the flush of the TLB is avoided; with one area it is about as expensive as
//! one unmap under the scheme before; with many it is a win.

use impls::protocol::UnmapFlush;
use impls::{Designs, Native, PvMmu, Sizes, Xen};
use machine::Counted;
use oracle::vocabulary::{AreaSlot, Mapping, Operation, PageList, PageSlot, Place, Token};
use serde::Serialize;

use super::engine::Engine;
use super::{Asked, Broken, Cost, Model};
use crate::story::Backends;

/// Areas outstanding when the drain is asked for.
pub const OUTSTANDING: [u64; 5] = [0, 1, 8, 64, 512];

/// Pages of each area.
pub(super) const PAGES: u8 = 4;

pub(super) const AREA: AreaSlot = AreaSlot::new(0);

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// One area was unmapped as before the rewrite: flushed everywhere at once.
    EagerUnmap,
    /// One area was unmapped lazily.
    LazyUnmap,
    /// Aliases were drained.
    Drain,
}

/// What the other CPUs were doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Others {
    /// Something that has nothing to do with the kernel.
    Busy,
    /// Nothing.
    Idle,
}

/// What one thing cost.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The backend.
    pub backend: &'static str,
    /// How many CPUs.
    pub cpus: u8,
    /// What the others were doing.
    pub others: Others,
    /// What was done.
    pub case: Case,
    /// How many areas were outstanding then.
    pub outstanding: u64,
    /// What it cost.
    pub cost: Cost,
}

/// Makes every measurement.
pub fn measure(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Vec<Row>, Broken> {
    let mut rows = Vec::new();
    for cpus in &asked.cpus {
        for others in [Others::Busy, Others::Idle] {
            // One CPU has no others.
            if *cpus == 1 && others == Others::Idle {
                continue;
            }
            heard(format!("drain: {cpus} CPUs"));
            if asked.backends.contains(Backends::NATIVE) {
                on::<Native>(*cpus, others, &asked.model, &mut rows)?;
            }
            if asked.backends.contains(Backends::XEN) {
                on::<Xen>(*cpus, others, &asked.model, &mut rows)?;
            }
        }
    }
    Ok(rows)
}

fn on<P: PvMmu>(cpus: u8, others: Others, model: &Model, rows: &mut Vec<Row>) -> Result<(), Broken> {
    let row = |case, outstanding, cost| Row { backend: P::NAME, cpus, others, case, outstanding, cost };
    let unmap = [Operation::Vunmap { area: AREA }];
    for (case, unmap_flush) in [(Case::EagerUnmap, UnmapFlush::Eager), (Case::LazyUnmap, UnmapFlush::Lazy)] {
        let designs = Designs { unmap_flush, ..Designs::default() };
        let mut engine = booted::<P>(cpus, designs, model)?;
        engine.set_others_idle(0, others == Others::Idle);
        map_and_touch(&mut engine)?;
        rows.push(row(case, 0, engine.spend(0, &unmap)?));
    }
    for outstanding in OUTSTANDING {
        let mut engine = booted::<P>(cpus, Designs::default(), model)?;
        engine.set_others_idle(0, others == Others::Idle);
        // Under Xen a new table is drained for, and less would be outstanding than is said: until all of them are there.
        let tables_made = |engine: &Engine<P>| engine.meter(|meter| meter.total().of(Counted::Cleared));
        loop {
            let before = tables_made(&engine);
            for _ in 0..outstanding {
                map_and_touch(&mut engine)?;
                engine.call(0, unmap[0])?;
            }
            if tables_made(&engine) == before {
                break;
            }
            engine.call(0, Operation::DrainAliases {})?;
        }
        rows.push(row(Case::Drain, outstanding, engine.spend(0, &[Operation::DrainAliases {}])?));
    }
    Ok(())
}

/// Full flushes after boot, after which the hypervisor's clock of flushes has wrapped once: it is set to do so early, and
/// will not again for long.
const FLUSHES_AFTER_BOOT: u8 = 5;

/// A kernel of real sizes, some time after boot: one area is mapped for good, so that the first page table of the
/// space stays, and some drains have flushed everything.
pub(super) fn booted<P: PvMmu>(cpus: u8, designs: Designs, model: &Model) -> Result<Engine<P>, Broken> {
    let mut engine = Engine::new(cpus, Sizes::Real, designs, model);
    let resident = AreaSlot::new(15);
    engine.call(0, Operation::Vmap { pages: PageList::new([PageSlot::new(3)]), area: resident })?;
    for _ in 0..FLUSHES_AFTER_BOOT {
        for _ in 0..OUTSTANDING[2] {
            map_and_touch(&mut engine)?;
            engine.call(0, Operation::Vunmap { area: AREA })?;
        }
        engine.call(0, Operation::DrainAliases {})?;
    }
    Ok(engine)
}

/// Maps four pages and writes to each.
pub(super) fn map_and_touch<P: PvMmu>(engine: &mut Engine<P>) -> Result<(), Broken> {
    let pages = PageList::new((0..PAGES).map(PageSlot::new));
    engine.call(0, Operation::Vmap { pages, area: AREA })?;
    for page in 0..PAGES {
        let place = Place { mapping: Mapping::Area(AREA), page };
        engine.call(0, Operation::Write { place, token: Token(1) })?;
    }
    Ok(())
}
