//! What was judged, as it is said to people: a table with a column for each backend, and below it what breaks.

use std::fmt::{self, Write};

use harness::story::BACKENDS;

use crate::output::count;

use super::verdicts::{BrokenJson, Cell, Judged, Row, Table};

/// The mark of a cell that is not what the catalogue says.
const DIFFERS: &str = " !";

/// A way to break, in all cells that it is met in: what the note below the table says.
type Note<'a> = (&'a str, &'a str, usize);

pub(super) fn write(text: &mut String, judged: &Judged) -> fmt::Result {
    for (number, table) in judged.tables.iter().enumerate() {
        if number > 0 {
            writeln!(text)?;
        }
        write_table(text, table)?;
    }
    if !judged.beside.is_empty() {
        let beside: Vec<_> =
            judged.beside.iter().map(|choice| format!("{}={}", choice.point, choice.variant)).collect();
        writeln!(text, "\nAll beside {}.", beside.join(", "))?;
    }
    writeln!(text)?;
    for table in &judged.tables {
        for row in &table.rows {
            for cell in row.cells.iter().filter(|cell| cell.differs) {
                let said = match cell.catalogue {
                    Some(bug) => format!("holds, and {bug} says that it breaks"),
                    None => "breaks, and no known bug says so".to_owned(),
                };
                writeln!(text, "! {} on {}: {said}", describe(row), cell.backend)?;
            }
        }
    }
    if judged.interrupted {
        writeln!(text, "Not all was judged.")?;
    }
    let cells = judged.tables.iter().flat_map(|table| &table.rows).flat_map(|row| &row.cells);
    let cells = cells.filter(|cell| cell.holds.is_some()).count();
    let differ = match judged.differ {
        0 => "none differs".to_owned(),
        1 => "1 differs".to_owned(),
        more => format!("{more} differ"),
    };
    writeln!(text, "{}; {differ} from the catalogue", count(cells as u64, "verdict", "verdicts"))
}

fn describe(row: &Row) -> String {
    row.designs
        .iter()
        .map(|choice| format!("{}={}", choice.point, choice.variant))
        .collect::<Vec<_>>()
        .join(", ")
}

fn write_table(text: &mut String, table: &Table) -> fmt::Result {
    let mut notes: Vec<Note<'_>> = Vec::new();
    let backends = BACKENDS.iter().map(|(_, name)| (*name).to_owned());
    let head = table.points.iter().map(|point| (*point).to_owned()).chain(backends);
    let mut lines = vec![head.collect::<Vec<_>>()];
    for row in &table.rows {
        let choices = row.designs.iter().map(|choice| choice.variant.to_owned());
        lines.push(choices.chain(row.cells.iter().map(|cell| word(cell, &mut notes))).collect());
    }
    let columns = lines[0].len();
    let widths: Vec<_> = (0..columns)
        .map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or_default())
        .collect();
    for line in &lines {
        let cells: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(text, "{}", cells.join("  ").trim_end())?;
    }
    for (number, (breach, protocol, pauses)) in notes.iter().enumerate() {
        let pauses = count(*pauses as u64, "pause", "pauses");
        writeln!(text, "  [{}] {breach} ({protocol}, {pauses})", number + 1)?;
    }
    Ok(())
}

/// What a cell says; what breaks it becomes a note.
fn word<'a>(cell: &'a Cell, notes: &mut Vec<Note<'a>>) -> String {
    let differs = if cell.differs { DIFFERS } else { "" };
    let said = match &cell.broken {
        None if cell.holds.is_none() => "not judged".to_owned(),
        None => format!("holds ({})", cell.schedules),
        Some(BrokenJson { breach, protocol, pauses, .. }) => {
            let note = (&**breach, *protocol, *pauses);
            let number = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
                notes.push(note);
                notes.len() - 1
            });
            format!("breaks [{}]", number + 1)
        }
    };
    format!("{said}{differs}")
}
