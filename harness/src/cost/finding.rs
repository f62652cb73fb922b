//! What the figures say to what was claimed: each claim, where it was made, and what was measured. Whether it holds is
//! computed from the rows and from nothing else.

use serde::Serialize;

use super::drain::{Case, Others, Row as Drained};
use super::scaling::{Row as Scaled, Scheme};
use super::{Report, rounded};

/// How far "about as expensive" and "flat" reach.
const ABOUT: f64 = 1.5;

/// A claim, and what was found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// What was claimed.
    pub claim: &'static str,
    /// By whom.
    pub source: &'static str,
    /// Where it was measured.
    pub on: String,
    /// What was measured.
    pub measured: String,
    /// Whether that bears the claim out.
    pub holds: bool,
}

/// Everything that can be said to what was asked.
pub fn all(report: &Report) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut places: Vec<_> = report.drain.iter().map(|row| (row.backend, row.cpus, row.others)).collect();
    places.dedup();
    for place in places {
        let here = |row: &&Drained| (row.backend, row.cpus, row.others) == place;
        drains(&report.drain.iter().filter(here).collect::<Vec<_>>(), place, &mut found);
    }
    let mut backends: Vec<_> = report.scaling.iter().map(|row| row.backend).collect();
    backends.dedup();
    for backend in backends {
        scaling(&report.scaling.iter().filter(|row| row.backend == backend).collect::<Vec<_>>(), &mut found);
    }
    found
}

fn drains(rows: &[&Drained], (backend, cpus, others): (&str, u8, Others), found: &mut Vec<Finding>) {
    let case = |case: Case, outstanding: u64| {
        rows.iter().find(|row| row.case == case && row.outstanding == outstanding).map(|row| &row.cost)
    };
    let most = rows.iter().map(|row| row.outstanding).max().unwrap_or(0);
    let (Some(nothing), Some(one), Some(many), Some(eager), Some(lazy)) = (
        case(Case::Drain, 0),
        case(Case::Drain, 1),
        case(Case::Drain, most),
        case(Case::EagerUnmap, 0),
        case(Case::LazyUnmap, 0),
    ) else {
        return;
    };
    let others = if others == Others::Busy { "busy" } else { "idle" };
    let on = match cpus {
        1 => format!("{backend}, 1 CPU"),
        cpus => format!("{backend}, {cpus} CPUs, the others {others}"),
    };
    found.push(Finding {
        claim: "With nothing outstanding, a drain does not flush the TLB.",
        source: "seed 004, Nick Piggin",
        on: on.clone(),
        measured: format!(
            "{} flushes, {} IPIs, {} ns",
            nothing.flushes(),
            nothing.ipis(),
            nothing.everywhere_ns()
        ),
        holds: nothing.flushes() == 0 && nothing.ipis() == 0,
    });
    let ratio = (lazy.everywhere_ns() + one.everywhere_ns()) / eager.everywhere_ns();
    found.push(Finding {
        claim: "With one area outstanding, a drain is about as expensive as one unmap of before, maybe a little more.",
        source: "seed 004, Nick Piggin",
        on: on.clone(),
        measured: format!(
            "unmap and drain {} ns, eager unmap {} ns: {} times",
            rounded(lazy.everywhere_ns() + one.everywhere_ns()),
            rounded(eager.everywhere_ns()),
            rounded(ratio)
        ),
        holds: (1.0..ABOUT).contains(&ratio),
    });
    #[expect(clippy::cast_precision_loss, reason = "some hundred areas")]
    let each = lazy.everywhere_ns() + many.everywhere_ns() / most as f64;
    found.push(Finding {
        claim: "With many outstanding, a drain is a win.",
        source: "seed 004, Nick Piggin",
        on,
        measured: format!(
            "{most} areas: unmap and its share of the drain {} ns, eager unmap {} ns",
            rounded(each),
            rounded(eager.everywhere_ns())
        ),
        holds: each < eager.everywhere_ns(),
    });
}

fn scaling(rows: &[&Scaled], found: &mut Vec<Finding>) {
    let of = |scheme: Scheme| rows.iter().filter(move |row| row.scheme == scheme).copied();
    for row in rows.iter().filter(|row| row.scheme != Scheme::Eager && row.cpus > 1) {
        let Some(eager) = of(Scheme::Eager).find(|eager| eager.cpus == row.cpus) else { continue };
        let factor = eager.ipis_per_round / row.ipis_per_round;
        #[expect(clippy::cast_precision_loss, reason = "some thousand rounds")]
        let predicted = row.predicted_rounds_per_flush as f64;
        found.push(Finding {
            claim: "Lazy unmapping sends fewer IPIs than eager unmapping, by the factor that the lazy threshold predicts.",
            source: "seed 004, the rewrite",
            on: format!("{}, {}, {} CPUs", row.backend, row.scheme.name(), row.cpus),
            measured: format!("{} times fewer, {predicted} predicted; measured by flushes {}", rounded(factor), row.measured_rounds_per_flush),
            holds: (0.95..=1.05).contains(&(factor / predicted)),
        });
    }
    for (scheme, claim) in [
        (Scheme::Blocks, "The time for a round stays flat with the number of CPUs for blocks."),
        (Scheme::Eager, "The time for a round grows with the number of CPUs for eager unmapping."),
    ] {
        let least = of(scheme).min_by_key(|row| row.cpus);
        let most = of(scheme).max_by_key(|row| row.cpus);
        let (Some(least), Some(most)) = (least, most) else { continue };
        if least.cpus == most.cpus {
            continue;
        }
        let growth = most.ns_per_round / least.ns_per_round;
        found.push(Finding {
            claim,
            source: "seed 004, the rewrite",
            on: format!("{}, {} to {} CPUs", least.backend, least.cpus, most.cpus),
            measured: format!(
                "{} ns to {} ns: {} times",
                least.ns_per_round,
                most.ns_per_round,
                rounded(growth)
            ),
            holds: if scheme == Scheme::Blocks { growth < ABOUT } else { growth > ABOUT },
        });
    }
}
