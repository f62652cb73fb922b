//! What each way for Xen to learn that a page has aliases costs for a page that becomes a page table (seed 004): alone,
//! and for the few dozen tables of a new process.
//!
//! The designs are the variants of two design points, as the kernels' own data lists them; those that the catalogue of
//! known bugs calls broken by themselves are left out.

use impls::{Designs, Xen};
use oracle::vocabulary::{AreaSlot, Operation, PageSlot};
use serde::Serialize;

use super::drain::{booted, map_and_touch};
use super::engine::Engine;
use super::{Asked, Broken, Cost, Model, rounded};
use crate::combinations::flaw;
use crate::story::Backends;

/// The design points that are combined.
const POINTS: [&str; 2] = ["pte_clear", "table_drain"];

/// Tables of a new process.
pub const PROCESS: u8 = 32;

/// So many tables fit into the callers' slots at a time.
const BATCH: u8 = 8;

/// The first slot for tables.
const FIRST: u8 = 4;

/// What is made, and what is outstanding meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// One table, while no area is outstanding.
    OneClean,
    /// One table, while one area is outstanding.
    OneAfterUnmap,
    /// The tables of a process; one area was outstanding before the first.
    Process,
    /// The tables of a process; another area is unmapped before each.
    ProcessAmidUnmaps,
}

impl Case {
    /// Every case.
    pub const ALL: [Self; 4] = [Self::OneClean, Self::OneAfterUnmap, Self::Process, Self::ProcessAmidUnmaps];

    /// How many tables are made.
    pub const fn tables(self) -> u8 {
        match self {
            Self::OneClean | Self::OneAfterUnmap => 1,
            Self::Process | Self::ProcessAmidUnmaps => PROCESS,
        }
    }

    /// Whether an area is unmapped before this table, counted from 0.
    const fn unmaps_before(self, table: u8) -> bool {
        match self {
            Self::OneClean => false,
            Self::OneAfterUnmap | Self::Process => table == 0,
            Self::ProcessAmidUnmaps => true,
        }
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

    /// Time for each table, on all CPUs together, in nanoseconds.
    pub fn ns_per_table(&self) -> f64 {
        rounded(self.cost.everywhere_ns() / f64::from(self.tables))
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
    let mut spent: Option<Cost> = None;
    for table in 0..case.tables() {
        if case.unmaps_before(table) {
            map_and_touch(&mut engine)?;
            engine.call(0, Operation::Vunmap { area: AreaSlot::new(0) })?;
        }
        let page = PageSlot::new(FIRST + table % BATCH);
        if table >= BATCH {
            make_room(&mut engine, page)?;
        }
        let cost = engine.spend(0, &[Operation::AllocPage { page }, Operation::MakeTable { page }])?;
        spent = Some(match spent {
            None => cost,
            Some(before) => before.plus(&cost),
        });
    }
    spent.ok_or_else(|| Broken("no table was made".to_owned()))
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
