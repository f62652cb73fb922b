//! That `docs/stories.md` says of each operation what its row says.

use harness::story::Story;
use oracle::vocabulary::{ROWS, Row};

const MANUAL: &str = include_str!("../../docs/stories.md");

/// How a story tells an operation: with the plainest of its operands.
fn told(row: &Row) -> String {
    let story = Story::decode(&[1, 0, 0, 3, row.tag, 0, 0, 0]).expect("a record");
    let text = story.to_string();
    let line = text.lines().last().expect("its only event");
    line.strip_prefix("c0  ").unwrap_or(line).to_owned()
}

/// The lines of the manual about the operations.
fn table() -> String {
    let line = |row: &Row| {
        // Rows are comments too, whose lines begin with a blank.
        let about = row.about.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let irqs_off = if row.irqs_off { "yes" } else { "" };
        format!("| `{}` | {about} | {irqs_off} |\n", told(row))
    };
    ROWS.iter().map(line).collect()
}

#[test]
fn the_manual_says_of_each_operation_what_its_row_says() {
    let table = table();
    assert!(MANUAL.contains(&table), "docs/stories.md lacks these lines:\n{table}");
}
