//! How fast it is: `make bench` prints one table. `docs/performance.md` keeps the last one and says what each figure
//! means.
//!
//! Every figure is the best of many short rounds: what else the computer does only ever adds to one. One thread does
//! everything, so a figure per second is one per second and core.

mod litmus;
mod points;
mod stories;
mod table;
mod vmap;

use table::Table;

type Subject = (&'static str, fn(&mut Table));

const SUBJECTS: [Subject; 4] = [
    ("points", points::measure),
    ("stories", stories::measure),
    ("vmap", vmap::measure),
    ("litmus", litmus::measure),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this too, and wants no figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let asked: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|word| SUBJECTS.iter().all(|(name, _)| name != *word)) {
        eprintln!("no figures about '{unknown}': there are {}", SUBJECTS.map(|(name, _)| name).join(", "));
        std::process::exit(2);
    }
    let mut table = Table::begin();
    for (name, measure) in SUBJECTS {
        if asked.is_empty() || asked.contains(&name) {
            Table::subject(name);
            measure(&mut table);
        }
    }
    table.end();
}
