//! What each way for Xen to learn that a page has aliases costs for a page that becomes a page table (seed 004): alone,
//! for the few dozen tables of a new process, which come one at a time and are pinned together when it is about to run, and
//! for as many of a process that runs, each of which becomes a table at once.
//!
//! The designs are the variants of two design points, as the kernels' own data lists them; those that the catalogue of
//! known bugs calls broken by themselves are left out.

use impls::{Designs, Task, Xen};
use oracle::vocabulary::{Operation, PageList, PageSlot};
use serde::Serialize;

use super::drain::{AREA, PAGES, booted, map_and_touch};
use super::engine::Engine;
use super::{Asked, Broken, Cost, Model, rounded};
use crate::combinations::flaw;
use crate::story::Backends;

/// The design points that are combined.
const POINTS: [&str; 2] = ["pte_clear", "table_drain"];

/// Tables of a new process.
pub const PROCESS: u8 = 32;

/// This many tables fit into the callers' slots at a time.
const BATCH: u8 = 8;

/// The first slot for tables.
const FIRST: u8 = 4;

/// What is made, and what is outstanding meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// One table, while no area is outstanding.
    OneClean,
    /// One table, while one area of other pages is outstanding.
    OneAfterUnmap,
    /// One table, of a page of the one area that is outstanding.
    OneAliased,
    /// The tables of a new process, pinned once; one area was outstanding before the first.
    NewProcess,
    /// The tables of a new process, pinned once; another area is unmapped before each.
    NewProcessAmidUnmaps,
    /// As many tables of a process that runs; one area was outstanding before the first.
    LiveProcess,
    /// As many tables of a process that runs; another area is unmapped before each.
    LiveProcessAmidUnmaps,
    /// No table: an area of four pages is mapped and unmapped, which is when some designs note what has aliases.
    MapAndUnmap,
}

impl Case {
    /// Every case.
    pub const ALL: [Self; 8] = [
        Self::OneClean,
        Self::OneAfterUnmap,
        Self::OneAliased,
        Self::NewProcess,
        Self::NewProcessAmidUnmaps,
        Self::LiveProcess,
        Self::LiveProcessAmidUnmaps,
        Self::MapAndUnmap,
    ];

    /// How many tables are made.
    pub const fn tables(self) -> u8 {
        match self {
            Self::MapAndUnmap => 0,
            Self::OneClean | Self::OneAfterUnmap | Self::OneAliased => 1,
            Self::NewProcess
            | Self::NewProcessAmidUnmaps
            | Self::LiveProcess
            | Self::LiveProcessAmidUnmaps => PROCESS,
        }
    }

    /// Whether an area is unmapped before this table, counted from 0.
    const fn unmaps_before(self, table: u8) -> bool {
        match self {
            Self::OneClean | Self::MapAndUnmap => false,
            Self::OneAfterUnmap | Self::OneAliased | Self::NewProcess | Self::LiveProcess => table == 0,
            Self::NewProcessAmidUnmaps | Self::LiveProcessAmidUnmaps => true,
        }
    }

    /// Whether no CPU runs on the tables before they are pinned together.
    const fn under_construction(self) -> bool {
        matches!(self, Self::NewProcess | Self::NewProcessAmidUnmaps)
    }
}

/// What tables cost under one combination of designs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// How many CPUs; the others are busy elsewhere.
    pub cpus: u8,
    /// The variants chosen, by design point.
    pub designs: Vec<(&'static str, &'static str)>,
    /// What is made.
    pub case: Case,
    /// How many tables.
    pub tables: u8,
    /// What all of them cost, allocating the pages included.
    pub cost: Cost,
}

impl Row {
    /// The variant chosen at a design point.
    pub fn chosen(&self, point: &str) -> &'static str {
        self.designs.iter().find(|(name, _)| *name == point).map_or("", |(_, variant)| variant)
    }

    /// Time for each table, on all CPUs together, in nanoseconds; where there is none, for what is done instead.
    pub fn ns_each(&self) -> f64 {
        rounded(self.cost.everywhere_ns() / f64::from(self.tables.max(1)))
    }
}

/// Every combination that is not known to be broken, by the names of the variants.
pub fn combinations() -> Vec<Vec<(&'static str, &'static str)>> {
    let mut all = vec![Vec::new()];
    for point in Designs::POINTS.iter().filter(|point| POINTS.contains(&point.name)) {
        all = all
            .iter()
            .flat_map(|chosen| {
                point
                    .variants
                    .iter()
                    .map(move |(variant, _)| [&chosen[..], &[(point.name, *variant)]].concat())
            })
            .collect();
    }
    all.retain(|chosen| flaw(chosen_designs(chosen), Backends::XEN).is_none());
    all
}

/// The designs of a combination.
fn chosen_designs(chosen: &[(&'static str, &'static str)]) -> Designs {
    let mut designs = Designs::default();
    for (point, variant) in chosen {
        designs.choose(point, variant).expect("named by the designs themselves");
    }
    designs
}

/// Makes every measurement. On bare metal nothing is asked of a page that becomes a table, so this is about Xen.
pub fn measure(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Vec<Row>, Broken> {
    let mut rows = Vec::new();
    if !asked.backends.contains(Backends::XEN) {
        return Ok(rows);
    }
    for cpus in &asked.cpus {
        heard(format!("tables: {cpus} CPUs"));
        for designs in combinations() {
            for case in Case::ALL {
                let cost = tables(*cpus, &designs, case, &asked.model)?;
                rows.push(Row { cpus: *cpus, designs: designs.clone(), case, tables: case.tables(), cost });
            }
        }
    }
    Ok(rows)
}

fn tables(
    cpus: u8,
    chosen: &[(&'static str, &'static str)],
    case: Case,
    model: &Model,
) -> Result<Cost, Broken> {
    let mut engine = booted::<Xen>(cpus, chosen_designs(chosen), model)?;
    if case == Case::MapAndUnmap {
        let pages = PageList::new((0..PAGES).map(PageSlot::new));
        return engine.spend(0, &[Operation::Vmap { pages, area: AREA }, Operation::Vunmap { area: AREA }]);
    }
    let mut spent: Option<Cost> = None;
    for table in 0..case.tables() {
        if case.unmaps_before(table) {
            map_and_touch(&mut engine)?;
            engine.call(0, Operation::Vunmap { area: AREA })?;
        }
        let cost = if case.under_construction() {
            engine.spend_on(0, &[Task::AddProcessTable])?
        } else if case == Case::OneAliased {
            engine.spend(0, &[Operation::MakeTable { page: PageSlot::new(0) }])?
        } else {
            live_table(&mut engine, table)?
        };
        spent = Some(match spent {
            None => cost,
            Some(before) => before.plus(&cost),
        });
    }
    let spent = spent.ok_or_else(|| Broken("no table was made".to_owned()))?;
    if !case.under_construction() {
        return Ok(spent);
    }
    Ok(spent.plus(&engine.spend_on(0, &[Task::PinProcess])?))
}

/// A page becomes a table at once. Returns what that cost.
fn live_table(engine: &mut Engine<Xen>, table: u8) -> Result<Cost, Broken> {
    let page = PageSlot::new(FIRST + table % BATCH);
    if table >= BATCH {
        make_room(engine, page)?;
    }
    engine.spend(0, &[Operation::AllocPage { page }, Operation::MakeTable { page }])
}

/// The slot held a table of before. What becomes of that is not counted.
fn make_room(engine: &mut Engine<Xen>, page: PageSlot) -> Result<(), Broken> {
    engine.call(0, Operation::UnmakeTable { page })?;
    engine.call(0, Operation::FreePage { page })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::combinations;

    #[test]
    fn what_the_catalogue_calls_broken_is_left_out_and_the_rest_is_there() {
        let all = combinations();
        let there = |chosen: [(&'static str, &'static str); 2]| all.contains(&chosen.to_vec());
        assert!(!there([("pte_clear", "at-purge"), ("table_drain", "never")]));
        assert!(there([("pte_clear", "at-vunmap"), ("table_drain", "never")]));
        assert!(there([("pte_clear", "at-purge"), ("table_drain", "always")]));
    }
}
