//! The answer as tables for people.

use std::fmt::{self, Write};

use harness::cost::scaling::{Scheme, Tables};
use harness::cost::{Finding, Question, Report, drain, scaling, sensitivity, tables, user};

const DRAIN: &str = "drain: what a drain costs, against one eager unmap of four pages";
const TABLES: &str =
    "tables: what a page that becomes a page table costs on Xen, in ns for each (and IPIs in all)";
const SCALING: &str = "scaling: every CPU maps, touches and unmaps four pages";
const USER: &str = "user: user memory is taken away, with a thread of the address space on each CPU; ns on all CPUs together";
const SENSITIVITY: &str = "sensitivity: verdicts that change when a price is half or twice as much";
pub(super) const FINDINGS: &str = "What was claimed, and what was measured";

/// A part of the answer.
#[derive(Debug)]
pub(super) struct Part {
    /// The line above it, the same always.
    pub(super) title: &'static str,
    /// What follows an empty line later.
    pub(super) text: String,
}

/// Rows of cells under a heading; the first cells stand to the left, figures to the right.
struct Table {
    heading: Vec<&'static str>,
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn write(&self, text: &mut String) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.heading[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.heading.len()).map(width).collect();
        let heading: Vec<_> = self.heading.iter().map(|word| (*word).to_owned()).collect();
        for row in [&heading].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column < self.words {
                    write!(line, "  {cell:<width$}")?;
                } else {
                    write!(line, "  {cell:>width$}")?;
                }
            }
            writeln!(text, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The line above the answer to a question.
pub(super) const fn title(question: Question) -> &'static str {
    match question {
        Question::Drain => DRAIN,
        Question::Tables => TABLES,
        Question::Scaling => SCALING,
        Question::User => USER,
        Question::Sensitivity => SENSITIVITY,
    }
}

/// The parts of an answer that were asked for, each under its title.
pub(super) fn parts(report: &Report) -> Result<Vec<Part>, fmt::Error> {
    let tables = [
        (DRAIN, drains(&report.drain)),
        (TABLES, page_tables(&report.tables)),
        (SCALING, schemes(&report.scaling)),
        (USER, freed(&report.user)),
        (SENSITIVITY, sensitivities(&report.sensitivity)),
    ];
    let mut parts = Vec::new();
    for (title, table) in tables.into_iter().filter(|(_, table)| !table.rows.is_empty()) {
        let mut text = String::new();
        table.write(&mut text)?;
        if title == SENSITIVITY {
            changes(&report.sensitivity, &mut text)?;
        }
        if title == SCALING && report.scaling.iter().any(|row| !row.steady) {
            writeln!(text, "  * no whole cycles from flush to flush, as those did not come in time")?;
        }
        parts.push(Part { title, text });
    }
    if !report.findings.is_empty() {
        let mut text = String::new();
        findings(&report.findings, &mut text)?;
        parts.push(Part { title: FINDINGS, text });
    }
    Ok(parts)
}

pub(super) fn write(text: &mut String, report: &Report) -> fmt::Result {
    for (place, part) in parts(report)?.iter().enumerate() {
        if place > 0 {
            writeln!(text)?;
        }
        write!(text, "{}\n\n{}", part.title, part.text)?;
    }
    Ok(())
}

fn findings(found: &[Finding], text: &mut String) -> fmt::Result {
    let mut claims: Vec<_> = found.iter().map(|found| (found.claim, found.source, found.criterion)).collect();
    claims.sort_unstable();
    claims.dedup();
    for (claim, source, criterion) in claims {
        writeln!(text, "  {claim} ({source})")?;
        writeln!(text, "  Holds if: {criterion}.")?;
        for found in found.iter().filter(|found| found.claim == claim) {
            let word = if found.holds { "holds" } else { "DOES NOT HOLD" };
            writeln!(text, "    {word} on {}: {}", found.on, found.measured)?;
        }
    }
    Ok(())
}

/// A line for each combination: what it comes to on each number of CPUs.
fn freed(rows: &[user::Row]) -> Table {
    let heading = vec!["what", "backend", "designs", "CPUs", "IPIs", "hypercalls", "grace periods", "ns"];
    let same = |one: &user::Row, next: &user::Row| {
        (one.backend, one.case, &one.designs) == (next.backend, next.case, &next.designs)
    };
    let lines = rows.chunk_by(same).map(|rows| {
        let each =
            |figure: &dyn Fn(&user::Row) -> String| rows.iter().map(figure).collect::<Vec<_>>().join(", ");
        let designs: Vec<_> = rows[0].designs.iter().map(|(_, variant)| *variant).collect();
        vec![
            rows[0].case.name().to_owned(),
            rows[0].backend.to_owned(),
            if designs.is_empty() { "rcu-batch".to_owned() } else { designs.join(" ") },
            each(&|row| row.cpus.to_string()),
            each(&|row| row.cost.ipis().to_string()),
            each(&|row| row.hypercalls().to_string()),
            each(&|row| row.grace_periods.to_string()),
            each(&|row| format!("{:.0}", row.cost.everywhere_ns())),
        ]
    });
    Table { heading, words: 3, rows: lines.collect() }
}

fn sensitivities(rows: &[sensitivity::Row]) -> Table {
    let heading = vec!["price", "is", "ns", "verdicts", "change at half", "at twice"];
    let rows = rows.iter().map(|row| {
        vec![
            row.price.to_owned(),
            if row.estimated { "estimated" } else { "published" }.to_owned(),
            row.nanoseconds.to_string(),
            row.verdicts.to_string(),
            row.halved.len().to_string(),
            row.doubled.len().to_string(),
        ]
    });
    Table { heading, words: 2, rows: rows.collect() }
}

/// The verdicts that change, below the table.
fn changes(rows: &[sensitivity::Row], text: &mut String) -> fmt::Result {
    for row in rows {
        for (how, changed) in [("half", &row.halved), ("twice", &row.doubled)] {
            for verdict in changed {
                writeln!(text, "  {} at {how}: {verdict}", row.price)?;
            }
        }
    }
    Ok(())
}

fn drains(rows: &[drain::Row]) -> Table {
    let heading = vec![
        "backend",
        "CPUs",
        "others",
        "what",
        "areas",
        "caller ns",
        "waiting",
        "stolen ns",
        "IPIs",
        "flushes",
        "entries lost",
        "hypercalls",
    ];
    let rows = rows.iter().map(|row| {
        let others = if row.others == drain::Others::Busy { "busy" } else { "idle" };
        let what = match row.case {
            drain::Case::EagerUnmap => "eager unmap",
            drain::Case::LazyUnmap => "lazy unmap",
            drain::Case::Drain => "drain",
        };
        let count = |name: &str| row.cost.counts.get(name).copied().unwrap_or(0);
        vec![
            row.backend.to_owned(),
            row.cpus.to_string(),
            if row.cpus == 1 { "-" } else { others }.to_owned(),
            what.to_owned(),
            if row.case == drain::Case::Drain { row.outstanding.to_string() } else { "-".to_owned() },
            figure(row.cost.caller_ns),
            figure(row.cost.waited_ns),
            figure(row.cost.stolen_ns),
            row.cost.ipis().to_string(),
            row.cost.flushes().to_string(),
            (count("leaves_lost") + count("paths_lost")).to_string(),
            count("hypercalls").to_string(),
        ]
    });
    Table { heading, words: 4, rows: rows.collect() }
}

/// A row for each combination of designs, a column for each case: time for each table, and the interrupts of all.
fn page_tables(rows: &[tables::Row]) -> Table {
    let mut heading = vec!["pte_clear", "table_drain", "CPUs"];
    heading.extend(tables::Case::ALL.map(|case| match case {
        tables::Case::OneClean => "one, clean",
        tables::Case::OneAfterUnmap => "another out",
        tables::Case::OneAliased => "own out",
        tables::Case::NewProcess => "new process",
        tables::Case::NewProcessAmidUnmaps => "new amid unmaps",
        tables::Case::LiveProcess => "running",
        tables::Case::LiveProcessAmidUnmaps => "running amid unmaps",
        tables::Case::MapAndUnmap => "map, unmap",
    }));
    let cell = |row: &tables::Row| format!("{} ({})", figure(row.ns_each()), row.cost.ipis());
    let rows = rows.chunks_exact(tables::Case::ALL.len()).map(|cases| {
        let first = &cases[0];
        let words = [
            first.chosen("pte_clear").to_owned(),
            first.chosen("table_drain").to_owned(),
            first.cpus.to_string(),
        ];
        words.into_iter().chain(cases.iter().map(cell)).collect()
    });
    Table { heading, words: 2, rows: rows.collect() }
}

fn schemes(all: &[scaling::Row]) -> Table {
    let heading = vec![
        "backend",
        "tables",
        "scheme",
        "CPUs",
        "ns per round",
        "of 1 CPU",
        "waiting",
        "handlers",
        "IPIs per round",
        "rounds before",
        "rounds",
        "table pages",
        "rounds per flush",
        "predicted",
        "fewer IPIs",
        "predicted",
        "by threshold",
    ];
    let rows = all.iter().map(|row| {
        let of = |scheme: Scheme, cpus: u8| {
            all.iter().find(|other| {
                (other.backend, other.tables, other.scheme, other.cpus)
                    == (row.backend, row.tables, scheme, cpus)
            })
        };
        let alone = of(row.scheme, 1).map(|one| row.ns_per_round / one.ns_per_round);
        let eager = of(Scheme::Eager, row.cpus).filter(|_| row.cpus > 1 && row.scheme != Scheme::Eager);
        let fewer = eager.map(|eager| eager.ipis_per_round / row.ipis_per_round);
        let dash = || "-".to_owned();
        vec![
            row.backend.to_owned(),
            if row.tables == Tables::Freed { "freed" } else { "freed at once" }.to_owned(),
            row.scheme.name().to_owned(),
            row.cpus.to_string(),
            figure(row.ns_per_round),
            alone.map_or_else(dash, |times| format!("{times:.2}")),
            figure(row.waited_ns_per_round),
            figure(row.stolen_ns_per_round),
            format!("{:.5}", row.ipis_per_round),
            row.rounds_before.to_string(),
            format!("{}{}", row.rounds, if row.steady { "" } else { "*" }),
            row.table_pages.to_string(),
            figure(row.measured_rounds_per_flush),
            figure(row.predicted_rounds_per_flush),
            fewer.map_or_else(dash, figure),
            fewer.map_or_else(dash, |_| figure(row.predicted_rounds_per_flush)),
            fewer.map_or_else(dash, |_| row.threshold_rounds_per_flush.to_string()),
        ]
    });
    Table { heading, words: 3, rows: rows.collect() }
}

fn figure(figure: f64) -> String {
    format!("{figure:.1}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn row(cpus: u8, steady: bool) -> scaling::Row {
        scaling::Row {
            backend: "native",
            tables: Tables::Freed,
            cpus,
            scheme: Scheme::Lazy,
            rounds_before: 2_000,
            rounds: 1639,
            steady,
            ns_per_round: 100.0,
            waited_ns_per_round: 0.0,
            stolen_ns_per_round: 0.0,
            ipis_per_round: 0.0,
            table_pages: 0,
            threshold_rounds_per_flush: 1639,
            predicted_rounds_per_flush: 1639.0,
            measured_rounds_per_flush: 1639.0,
            counts: BTreeMap::new(),
        }
    }

    #[test]
    fn rounds_that_are_no_whole_cycles_are_marked_and_no_others() {
        let said = |scaling| {
            let mut text = String::new();
            write(&mut text, &Report { scaling, ..Report::default() }).expect("a string takes any text");
            text
        };
        let marked = said(vec![row(1, true), row(2, false)]);
        assert_eq!((marked.matches("1639  ").count(), marked.matches("1639*  ").count()), (1, 1), "{marked}");
        assert!(
            marked.ends_with("  * no whole cycles from flush to flush, as those did not come in time\n"),
            "{marked}"
        );
        assert!(!said(vec![row(1, true), row(2, true)]).contains('*'));
    }
}
