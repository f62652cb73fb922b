//! Reports: they name who did what to whom, on every witness, and never change what is found.

use harness::catalogue::{BUGS, Selection};
use harness::checks::Checks;
use harness::lanes::{Report, explain};
use harness::runner::Runner;
use harness::story::{Backends, Document};

fn witness(name: &str) -> (Document, Runner) {
    let file = format!("{}/../corpus/witnesses/{name}.story", env!("CARGO_MANIFEST_DIR"));
    read(&std::fs::read(file).expect("a witness"))
}

fn read(story: &[u8]) -> (Document, Runner) {
    let document = Document::read(story).expect("a story");
    let setup = Selection::all(&document.under).expect("a known bug")[0].setup();
    (document, Runner::new(setup, Checks::default()))
}

fn report(name: &str) -> Report {
    explained(witness(name))
}

fn explained((document, mut runner): (Document, Runner)) -> Report {
    explain(&mut runner, &document.story, Backends::all(), &document.under, Some("x.story"))
        .expect("a finding")
}

/// These appear, in this order.
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing, or too early, in:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn a_report_names_who_still_holds_what_another_unmapped() {
    let story = "story 1\nunder bug va-reuse-unflushed.b\ncpus 2, backends native xen\nc0  vmap p0+1 -> a0\n\
                 c1  read a0+0\nc0  vunmap a0\nc0  drain-aliases\nc0  vmap p1+1 -> a1\n";
    let report = explained(read(story.as_bytes())).to_string();
    let told = [
        "rule 4 (kernel range reuse): vmap on native, c1: a CPU holds a translation from before",
        "under bug va-reuse-unflushed.b",
        ">>  c0  vmap p1+1 -> a1",
        "is a0+0 from event 1 on (f1), then a1+0 from event 5 on (f2)",
        "  2  c1  read a0+0",
        "caches 0x",
        "  3  c0  vunmap a0   => done",
        "becomes empty",
        ".rs:",
        "  5  c0  vmap p1+1 -> a1",
        "invlpg: forgets",
        "c1 holds 0x",
        "cached during event 2; since then a flush was made on c0, and none for it here.",
        "To play it again: shootdown replay x.story",
    ];
    assert_in_order(&report, &told);
}

#[test]
fn a_request_overtaken_by_its_interrupt_is_seen_in_the_store_buffer() {
    let report = report("ipi-overtakes-stores").to_string();
    let told = [
        "in its store buffer",
        "interrupts c1",
        "takes the interrupt of c0",
        "reads flush_info: 0 ",
        "memory gets flush_info",
        "c1 holds",
        "The same story on xen",
        "memory gets flush_info",
        "interrupts c1",
        "(1 cached)",
    ];
    assert_in_order(&report, &told);
}

#[test]
fn an_entry_that_was_left_is_named_and_native_stands_beside_xen() {
    let report = report("lazy-alias-pins.a");
    assert_eq!(
        report.lanes.iter().map(|lanes| (lanes.backend, lanes.found)).collect::<Vec<_>>(),
        [("xen", true), ("native", false)]
    );
    assert_in_order(
        &report.lanes[0].text,
        &["=> refused", "refused: ", "The tables: entry", "set during event 1"],
    );
    assert_in_order(&report.lanes[1].text, &["make-table p0   => done", "becomes a table of level 1"]);
}

#[test]
fn explaining_finds_what_playing_finds_and_says_the_same_each_time() {
    for bug in BUGS {
        let (document, mut runner) = witness(bug.name);
        let found = runner.play(&document.story, Backends::all()).expect("a finding");
        let mut explain = || {
            explain(&mut runner, &document.story, Backends::all(), &document.under, None).expect("a finding")
        };
        let (once, again) = (explain(), explain());
        assert_eq!(once.finding, found, "{}", bug.name);
        assert_eq!(once.to_string(), again.to_string(), "{}", bug.name);
        assert!(once.to_string().lines().all(|line| line.chars().count() <= 145), "{once}");
    }
}

#[test]
fn a_story_that_finds_nothing_has_no_report() {
    let (document, _) = witness("canary");
    let mut runner = Runner::new(Selection::default().setup(), Checks::default());
    assert!(explain(&mut runner, &document.story, Backends::all(), &document.under, None).is_none());
}
