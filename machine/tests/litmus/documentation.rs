//! `docs/machine.md` names a test for each rule: every one of them exists.

/// The files of tests, by the names that the page uses.
const FILES: [(&str, &str); 16] = [
    ("broadcasts", include_str!("broadcasts.rs")),
    ("determinism", include_str!("determinism.rs")),
    ("faults", include_str!("faults.rs")),
    ("help", include_str!("help.rs")),
    ("host", include_str!("host.rs")),
    ("interrupts", include_str!("interrupts.rs")),
    ("memory_model", include_str!("memory_model.rs")),
    ("metering", include_str!("metering.rs")),
    ("others", include_str!("others.rs")),
    ("queued_tables", include_str!("queued_tables.rs")),
    ("stale_tables", include_str!("stale_tables.rs")),
    ("toy_kernel", include_str!("toy_kernel.rs")),
    ("translation", include_str!("translation.rs")),
    ("waiting", include_str!("waiting.rs")),
    ("walkers", include_str!("walkers.rs")),
    ("watching", include_str!("watching.rs")),
];

#[test]
fn every_test_that_the_page_names_exists() {
    let page = include_str!("../../../docs/machine.md");
    let named: Vec<_> = page.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 50, "the page names tests in backquotes");
    for (file, test) in named {
        let source = FILES.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
        assert!(source.contains(&format!("fn {test}(")), "{file}::{test} is named by docs/machine.md");
    }
}
