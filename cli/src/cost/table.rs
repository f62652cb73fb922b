//! The answer as tables for people.

use std::fmt::{self, Write};

use harness::cost::scaling::Scheme;
use harness::cost::{Report, drain, scaling, tables};

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

pub(super) fn write(text: &mut String, report: &Report) -> fmt::Result {
    let mut parts = 0;
    let mut part = |text: &mut String, title: &str, there: bool| -> Result<bool, fmt::Error> {
        if there {
            if parts > 0 {
                writeln!(text)?;
            }
            parts += 1;
            writeln!(text, "{title}\n")?;
        }
        Ok(there)
    };
    if part(
        text,
        "drain: what a drain costs, against one eager unmap of four pages",
        !report.drain.is_empty(),
    )? {
        drains(&report.drain).write(text)?;
    }
    if part(text, "tables: what a page that becomes a page table costs on Xen", !report.tables.is_empty())? {
        page_tables(&report.tables).write(text)?;
    }
    if part(text, "scaling: every CPU maps, touches and unmaps four pages", !report.scaling.is_empty())? {
        schemes(&report.scaling).write(text)?;
    }
    if part(text, "What was claimed, and what was measured", !report.findings.is_empty())? {
        let mut claims: Vec<_> = report.findings.iter().map(|found| (found.claim, found.source)).collect();
        claims.sort_unstable();
        claims.dedup();
        for (claim, source) in claims {
            writeln!(text, "  {claim} ({source})")?;
            for found in report.findings.iter().filter(|found| found.claim == claim) {
                let word = if found.holds { "holds" } else { "does not hold" };
                writeln!(text, "    {word} on {}: {}", found.on, found.measured)?;
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

fn page_tables(rows: &[tables::Row]) -> Table {
    let heading = vec![
        "pte_clear",
        "table_drain",
        "what",
        "CPUs",
        "tables",
        "ns per table",
        "of this stolen",
        "IPIs",
        "flushes",
        "hypercalls",
    ];
    let rows = rows.iter().map(|row| {
        let what = match row.case {
            tables::Case::OneClean => "one, nothing outstanding",
            tables::Case::OneAfterUnmap => "one, one area outstanding",
            tables::Case::Process => "process, one area outstanding",
            tables::Case::ProcessAmidUnmaps => "process, unmaps in between",
        };
        vec![
            row.chosen("pte_clear").to_owned(),
            row.chosen("table_drain").to_owned(),
            what.to_owned(),
            row.cpus.to_string(),
            row.tables.to_string(),
            figure(row.ns_per_table()),
            figure(row.cost.stolen_ns / f64::from(row.tables)),
            row.cost.ipis().to_string(),
            row.cost.flushes().to_string(),
            row.cost.hypercalls.values().sum::<u64>().to_string(),
        ]
    });
    Table { heading, words: 3, rows: rows.collect() }
}

fn schemes(all: &[scaling::Row]) -> Table {
    let heading = vec![
        "backend",
        "scheme",
        "CPUs",
        "ns per round",
        "of 1 CPU",
        "waiting",
        "handlers",
        "IPIs per round",
        "rounds per flush",
        "predicted",
        "fewer IPIs",
        "predicted",
    ];
    let rows = all.iter().map(|row| {
        let of = |scheme: Scheme, cpus: u8| {
            all.iter().find(|other| (other.backend, other.scheme, other.cpus) == (row.backend, scheme, cpus))
        };
        let alone = of(row.scheme, 1).map(|one| row.ns_per_round / one.ns_per_round);
        let eager = of(Scheme::Eager, row.cpus).filter(|_| row.cpus > 1 && row.scheme != Scheme::Eager);
        let fewer = eager.map(|eager| eager.ipis_per_round / row.ipis_per_round);
        vec![
            row.backend.to_owned(),
            row.scheme.name().to_owned(),
            row.cpus.to_string(),
            figure(row.ns_per_round),
            alone.map_or_else(|| "-".to_owned(), |times| format!("{times:.2}")),
            figure(row.waited_ns_per_round),
            figure(row.stolen_ns_per_round),
            format!("{:.5}", row.ipis_per_round),
            figure(row.measured_rounds_per_flush),
            row.predicted_rounds_per_flush.to_string(),
            fewer.map_or_else(|| "-".to_owned(), |times| format!("{times:.1}")),
            fewer.map_or_else(|| "-".to_owned(), |_| row.predicted_rounds_per_flush.to_string()),
        ]
    });
    Table { heading, words: 2, rows: rows.collect() }
}

fn figure(figure: f64) -> String {
    format!("{figure:.1}")
}
