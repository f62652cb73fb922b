//! What it costs to take user memory away (seed 001): a page whose table stays, pages whose tables go, and a whole address space;
//! by every way to free a table and to reach other CPUs that is correct on the backend. A thread of the address space runs on each CPU.
//!
//! The mail claims that native pays nothing for the hook where it points to the page batch, and that Xen's flush comes back at once.

use impls::{Designs, HyperV, Kvm, Native, PvMmu, Xen};
use oracle::vocabulary::{Backing, MmSlot, Operation, Token, UserAccess, UserPage, UserRange};
use serde::Serialize;

use super::drain::booted;
use super::engine::Engine;
use super::{Asked, Broken, Cost, Model, side_by_side};
use crate::combinations::flaw;
use crate::story::Backends;

/// What is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// One page; its neighbour stays, and with it the table.
    MunmapPage,
    /// Four pages, which lie in two lowest-level tables that map nothing else; one of them has a table of level 2 to itself.
    MunmapTables,
    /// An address space of eight pages in four lowest-level tables. The CPUs that are in it are taken off it first.
    Exit,
}

impl Case {
    /// Every case.
    pub const ALL: [Self; 3] = [Self::MunmapPage, Self::MunmapTables, Self::Exit];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MunmapPage => "munmap a page",
            Self::MunmapTables => "munmap tables",
            Self::Exit => "exit",
        }
    }
}

/// What it costs under one combination of designs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The backend.
    pub backend: &'static str,
    /// How many CPUs; a thread of the address space runs on each.
    pub cpus: u8,
    /// The variants chosen, by design point.
    pub designs: Vec<(&'static str, &'static str)>,
    /// What is taken away.
    pub case: Case,
    /// Grace periods that passed for it: waited for, or after it had returned.
    pub grace_periods: u64,
    /// What it cost.
    pub cost: Cost,
}

impl Row {
    /// Hypercalls of every name.
    pub fn hypercalls(&self) -> u64 {
        self.cost.hypercalls.values().sum()
    }

    /// Whether these variants were chosen, and no others.
    pub fn chooses(&self, designs: &[(&str, &str)]) -> bool {
        self.designs.iter().filter(|(_, variant)| !DEFAULTS.contains(variant)).eq(designs)
    }
}

/// The variants that go without saying.
const DEFAULTS: [&str; 2] = ["rcu-batch", "platform"];

/// The ways of freeing tables and of waiting for walkers that are combined with the reaches of a flush.
const WAYS: [&[(&str, &str)]; 9] = [
    &[],
    &[("table_free", "with-pages")],
    &[("table_free", "hook")],
    &[("table_free", "configured-unused")],
    &[("table_free", "one-deferred")],
    &[("table_free", "sync-then-free")],
    &[("table_free", "sync-then-free"), ("walker_wait", "sync-ipi")],
    &[("table_free", "sync-then-free"), ("walker_wait", "implied")],
    &[("table_free", "sync-then-free"), ("walker_wait", "none")],
];

/// Every combination that is not known to be broken on a backend.
pub fn combinations(on: Backends) -> Vec<Vec<(&'static str, &'static str)>> {
    // On native the way of the platform is an interrupt; elsewhere there is no broadcast.
    let other = if on == Backends::NATIVE { "broadcast" } else { "ipi" };
    let reaches = [vec![], vec![("flush_reach", other)]];
    let all = reaches.iter().flat_map(|reach| WAYS.iter().map(move |way| [way, &reach[..]].concat()));
    all.filter(|chosen| flaw(designs(chosen), on).is_none()).collect()
}

fn designs(chosen: &[(&'static str, &'static str)]) -> Designs {
    let mut designs = Designs::default();
    for (point, variant) in chosen {
        designs.choose(point, variant).expect("named by the designs themselves");
    }
    designs
}

/// Something to be measured.
struct Measured {
    on: Backends,
    cpus: u8,
    designs: Vec<(&'static str, &'static str)>,
    case: Case,
}

/// Makes every measurement.
pub fn measure(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Vec<Row>, Broken> {
    let mut all = Vec::new();
    for on in asked.backends.iter() {
        for case in Case::ALL {
            // A page whose table stays is no matter of how tables are freed.
            let frees_tables = |chosen: &Vec<_>| chosen.iter().any(|(point, _)| *point != "flush_reach");
            for designs in
                combinations(on).into_iter().filter(|it| case != Case::MunmapPage || !frees_tables(it))
            {
                all.extend(asked.cpus.iter().map(|cpus| Measured {
                    on,
                    cpus: *cpus,
                    designs: designs.clone(),
                    case,
                }));
            }
        }
    }
    let mut heard = |measured: &Measured| heard(format!("user: {} CPUs", measured.cpus));
    let rows = side_by_side(&all, &mut heard, |measured| match measured.on {
        Backends::NATIVE => row::<Native>(measured, &asked.model),
        Backends::XEN => row::<Xen>(measured, &asked.model),
        Backends::KVM => row::<Kvm>(measured, &asked.model),
        _ => row::<HyperV>(measured, &asked.model),
    });
    rows.into_iter().collect()
}

const MM: MmSlot = MmSlot::new(0);

/// Pages of the address space that are mapped and touched.
const PAGES: u8 = 8;

const fn range(page: u8, count: u8) -> UserRange {
    UserRange { mm: MM, page, count }
}

fn row<P: PvMmu>(measured: &Measured, model: &Model) -> Result<Row, Broken> {
    let Measured { cpus, case, .. } = *measured;
    let mut engine: Engine<P> = booted(cpus, designs(&measured.designs), model)?;
    engine.call(0, Operation::NewMm { mm: MM })?;
    let (what, access) = (Backing::Anonymous, UserAccess::Writable);
    engine.call(0, Operation::Mmap { at: range(0, PAGES), what, access })?;
    for cpu in 0..cpus {
        for page in 0..PAGES {
            engine.call(cpu, Operation::Store { at: UserPage { mm: MM, page }, token: Token(1) })?;
        }
    }
    let operation = match case {
        Case::MunmapPage => Operation::Munmap { at: range(1, 1) },
        Case::MunmapTables => Operation::Munmap { at: range(4, 4) },
        Case::Exit => Operation::DropMm { mm: MM },
    };
    let before = engine.grace_periods();
    let cost = engine.spend(0, &[operation])?;
    let grace_periods = engine.grace_periods() - before;
    Ok(Row { backend: P::NAME, cpus, designs: measured.designs.clone(), case, grace_periods, cost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_on_a_backend_is_not_measured_there_and_the_rest_is() {
        let ways = |on, reach: Option<&str>| {
            let reaches = |chosen: &&Vec<(&str, &str)>| match reach {
                None => chosen.iter().all(|(point, _)| *point != "flush_reach"),
                Some(reach) => chosen.contains(&("flush_reach", reach)),
            };
            combinations(on).iter().filter(reaches).count()
        };
        assert_eq!((ways(Backends::NATIVE, None), ways(Backends::NATIVE, Some("broadcast"))), (9, 4));
        for on in [Backends::XEN, Backends::KVM, Backends::HYPERV] {
            assert_eq!((ways(on, None), ways(on, Some("ipi"))), (5, 9), "{on:?}");
        }
    }
}
