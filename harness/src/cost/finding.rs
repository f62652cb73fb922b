//! What the figures say to what was claimed: each claim, where it was made, and what was measured. Whether it holds is
//! computed from the rows and from nothing else.

use machine::Counted;
use serde::Serialize;

use super::drain::{Case, Others, Row as Drained};
use super::scaling::{Row as Scaled, Scheme, Tables};
use super::user::{Case as Freeing, Row as Freed};
use super::{Report, rounded};
use impls::{Native, PvMmu, Xen};

/// How far "about as expensive" and "flat" reach.
const ABOUT: f64 = 1.5;

/// A claim, and what was found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// What was claimed.
    pub claim: &'static str,
    /// By whom.
    pub source: &'static str,
    /// By what it is decided whether it holds.
    pub criterion: &'static str,
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
    walkers(&report.user, &mut found);
    for rows in by_ground(&report.scaling) {
        interrupts(&rows, &mut found);
        growth(&rows, &mut found);
    }
    found
}

/// What seed 001 says of the cost of freeing tables.
fn walkers(rows: &[Freed], found: &mut Vec<Finding>) {
    let with = |row: &Freed, designs: &[(&str, &str)]| {
        let same =
            |other: &&Freed| (other.backend, other.cpus, other.case) == (row.backend, row.cpus, row.case);
        rows.iter().filter(same).find(|other| other.chooses(designs))
    };
    for hook in
        rows.iter().filter(|row| row.backend == Native::NAME && row.chooses(&[("table_free", "hook")]))
    {
        let Some(page_batch) = with(hook, &[("table_free", "with-pages")]) else { continue };
        found.push(Finding {
            claim: "Native pays nothing for the hook where that points to the page batch.",
            source: "seed 001",
            criterion: "the same counts and the same time as with the page batch and no hook",
            on: format!("native, {}, CPUs: {}", hook.case.name(), hook.cpus),
            measured: format!(
                "{:.0} ns with the hook, {:.0} ns without",
                hook.cost.everywhere_ns(),
                page_batch.cost.everywhere_ns()
            ),
            holds: hook.cost == page_batch.cost && hook.grace_periods == page_batch.grace_periods,
        });
    }
    let munmap = |row: &&Freed| row.case != Freeing::Exit && row.cpus > 1;
    for xen in rows.iter().filter(munmap).filter(|row| row.backend == Xen::NAME && row.chooses(&[])) {
        let sent = xen.cost.hypercalls.get("event_channel_send").copied().unwrap_or(0);
        found.push(Finding {
            claim: "Under Xen a flush interrupts no CPU of the guest: it does not wait for walkers.",
            source: "seed 001",
            criterion: "no CPU of the guest takes an interrupt for munmap",
            on: format!("xen, {}, CPUs: {}", xen.case.name(), xen.cpus),
            measured: format!("{sent} interrupts of the guest, {} hypercalls", xen.hypercalls()),
            holds: sent == 0,
        });
    }
}

/// Only how the times grow: for measurements too short for anything else.
pub(super) fn growth_of_all(rows: &[Scaled], found: &mut Vec<Finding>) {
    for rows in by_ground(rows) {
        growth(&rows, found);
    }
}

fn by_ground(rows: &[Scaled]) -> Vec<Vec<&Scaled>> {
    rows.chunk_by(|one, next| one.ground() == next.ground()).map(|rows| rows.iter().collect()).collect()
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
        criterion: "no flush of any kind, no IPI",
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
        criterion: "the unmap and the drain together, on all CPUs: 1 to 1.5 times the eager unmap",
        on: on.clone(),
        measured: format!(
            "unmap and drain {} ns, eager unmap {} ns: {ratio:.2} times",
            rounded(lazy.everywhere_ns() + one.everywhere_ns()),
            rounded(eager.everywhere_ns()),
        ),
        holds: (1.0..=ABOUT).contains(&ratio),
    });
    #[expect(clippy::cast_precision_loss, reason = "some hundred areas")]
    let each = lazy.everywhere_ns() + many.everywhere_ns() / most as f64;
    found.push(Finding {
        claim: "With many outstanding, a drain is a win.",
        source: "seed 004, Nick Piggin",
        criterion: "an unmap and its share of the drain, on all CPUs, against the eager unmap: less",
        on,
        measured: format!(
            "{most} areas: unmap and its share of the drain {} ns, eager unmap {} ns",
            rounded(each),
            rounded(eager.everywhere_ns())
        ),
        holds: each < eager.everywhere_ns(),
    });
}

fn interrupts(rows: &[&Scaled], found: &mut Vec<Finding>) {
    let of = |scheme: Scheme| rows.iter().filter(move |row| row.scheme == scheme).copied();
    for row in rows.iter().filter(|row| row.scheme != Scheme::Eager && row.cpus > 1) {
        let Some(eager) = of(Scheme::Eager).find(|eager| eager.cpus == row.cpus) else { continue };
        found.push(match row.tables {
            Tables::Freed => by_threshold(row, eager),
            Tables::FreedAtOnce => by_table_pages(row, eager),
        });
    }
}

fn growth(rows: &[&Scaled], found: &mut Vec<Finding>) {
    let of = |scheme: Scheme| rows.iter().filter(move |row| row.scheme == scheme).copied();
    for (scheme, claim) in [
        (Scheme::Blocks, "The time for a round stays flat with the number of CPUs for blocks."),
        (Scheme::Eager, "The time for a round grows with the number of CPUs for eager unmapping."),
    ] {
        let all: Vec<_> = of(scheme).collect();
        let (Some(least), Some(most)) = (all.first(), all.last()) else { continue };
        if all.len() < 2 {
            continue;
        }
        let times = |row: &Scaled| row.ns_per_round / least.ns_per_round;
        let (criterion, holds) = if scheme == Scheme::Blocks {
            (
                "at most 1.5 times that of the fewest CPUs on any number",
                all.iter().all(|row| times(row) <= ABOUT),
            )
        } else {
            // Loops in step meet at locks more or less well, so that neighbours need not differ.
            let grows = all.iter().all(|row| {
                let mut doubled = all.iter().filter(|more| more.cpus >= 2 * row.cpus);
                doubled.all(|more| row.ns_per_round < more.ns_per_round)
            });
            (
                "more on twice as many CPUs or more than on any, and more than 1.5 times on the most",
                grows && times(most) > ABOUT,
            )
        };
        let each = |what: Counted| format!("{:.2} to {:.2}", least.per_round(what), most.per_round(what));
        found.push(Finding {
            claim,
            source: "seed 004, the rewrite",
            criterion,
            on: format!("{}, {} to {} CPUs", least.ground(), least.cpus, most.cpus),
            measured: format!(
                "{} ns to {} ns: {:.2} times; for each round {} IPIs, {} lines from other CPUs, {} waits for locks",
                least.ns_per_round,
                most.ns_per_round,
                times(most),
                each(Counted::IpiBusy),
                each(Counted::Transfer),
                each(Counted::LockWait),
            ),
            holds,
        });
    }
}

/// How many times fewer interrupts a row sent, against what the sizes alone predict for it.
fn by_threshold(row: &Scaled, eager: &Scaled) -> Finding {
    let factor = eager.ipis_per_round / row.ipis_per_round;
    let threshold = row.threshold_rounds_per_flush;
    let unsteady = if row.steady { "" } else { "; not of whole cycles, which did not come in time" };
    Finding {
        claim: "Lazy unmapping sends fewer IPIs than eager unmapping, by the factor that the lazy threshold predicts.",
        source: "seed 004, the rewrite",
        criterion: "within 5% of the rounds that bring the lazy list above the threshold",
        on: place(row),
        measured: format!("{} times fewer, {threshold} predicted{unsteady}", rounded(factor)),
        holds: row.steady && (0.95..=1.05).contains(&(factor / rounds(threshold))),
    }
}

/// What is left of that factor without the reserve of tables: table pages are drained for, each of which the machine has
/// counted.
fn by_table_pages(row: &Scaled, eager: &Scaled) -> Finding {
    let factor = eager.ipis_per_round / row.ipis_per_round;
    let (threshold, predicted) = (row.threshold_rounds_per_flush, row.predicted_rounds_per_flush);
    Finding {
        claim: "Without the reserve of tables (kernel_tables=freed-at-once), page-table pages are made and drained for after every flush; each brings two flushes at most, so that fewer IPIs are saved than the threshold predicts.",
        source: "seed 004, Jeremy Fitzhardinge: the alias unmap each time Xen allocates a page for a page table",
        criterion: "at least 0.9 times the rounds for a flush when each table page comes (the drain) and one when it goes (the hypervisor's), and less than half of what the threshold allows",
        on: place(row),
        measured: format!(
            "{} times fewer; {} table pages in {} rounds: {predicted} predicted; {threshold} by the threshold",
            rounded(factor),
            row.table_pages,
            row.rounds
        ),
        holds: factor >= 0.9 * predicted && 2.0 * factor < rounds(threshold),
    }
}

fn place(row: &Scaled) -> String {
    format!("{}, {}, {} CPUs", row.ground(), row.scheme.name(), row.cpus)
}

#[expect(clippy::cast_precision_loss, reason = "some thousand rounds")]
fn rounds(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn row(scheme: Scheme, tables: Tables, ipis_per_round: f64, predicted: f64) -> Scaled {
        Scaled {
            backend: "xen",
            tables,
            cpus: 2,
            scheme,
            rounds_before: 2_000,
            rounds: 12_000,
            steady: true,
            ns_per_round: 100.0,
            waited_ns_per_round: 0.0,
            stolen_ns_per_round: 0.0,
            ipis_per_round,
            table_pages: 100,
            threshold_rounds_per_flush: 3000,
            predicted_rounds_per_flush: predicted,
            measured_rounds_per_flush: predicted,
            counts: BTreeMap::new(),
        }
    }

    /// The finding about lazy unmapping with `fewer` times fewer interrupts, where table pages predict `predicted`.
    fn verdict(tables: Tables, fewer: f64, predicted: f64) -> Finding {
        let scaling =
            vec![row(Scheme::Eager, tables, 1.0, 1.0), row(Scheme::Lazy, tables, 1.0 / fewer, predicted)];
        let found = all(&Report { scaling, ..Report::default() });
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().expect("one")
    }

    #[test]
    fn the_factor_of_the_threshold_is_asked_of_the_default_whatever_flushes() {
        for (fewer, predicted, holds) in
            [(3010.0, 3000.0, true), (2860.0, 3000.0, true), (2800.0, 3000.0, false), (3200.0, 3000.0, false)]
        {
            let found = verdict(Tables::Freed, fewer, predicted);
            assert!(found.claim.contains("the factor that the lazy threshold predicts"), "{found:?}");
            assert_eq!(found.holds, holds, "{found:?}");
        }
        assert!(!verdict(Tables::Freed, 70.0, 60.0).holds, "that table pages explain it is no excuse");
    }

    #[test]
    fn what_is_not_of_whole_cycles_bears_nothing_out() {
        let mut scaling = vec![
            row(Scheme::Eager, Tables::Freed, 1.0, 1.0),
            row(Scheme::Lazy, Tables::Freed, 1.0 / 3000.0, 3000.0),
        ];
        for (steady, holds) in [(true, true), (false, false)] {
            scaling[1].steady = steady;
            let found = all(&Report { scaling: scaling.clone(), ..Report::default() });
            assert_eq!(found[0].holds, holds, "{found:?}");
            assert_eq!(found[0].measured.contains("not of whole cycles"), !steady, "{found:?}");
        }
    }

    #[test]
    fn without_the_reserve_the_factor_is_that_of_the_table_pages_and_both_are_told() {
        for (fewer, predicted, holds) in [
            (70.0, 60.0, true),
            (54.0, 60.0, true),
            (50.0, 60.0, false),
            (1600.0, 60.0, false),
            (3000.0, 3000.0, false),
        ] {
            let found = verdict(Tables::FreedAtOnce, fewer, predicted);
            assert!(found.claim.contains("kernel_tables=freed-at-once"), "{found:?}");
            assert!(found.measured.contains("3000 by the threshold"), "{found:?}");
            assert_eq!(found.holds, holds, "{found:?}");
        }
        assert_eq!(verdict(Tables::FreedAtOnce, 70.0, 60.0).on, "xen, tables freed at once, lazy, 2 CPUs");
    }
}
