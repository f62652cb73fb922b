//! `designs --judge`: the table in text and in JSON, its exit code, and the stories by which designs break.

#[cfg(target_os = "linux")]
use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::program::Place;

/// Without a guard every variant breaks everywhere, after a few schedules.
const QUICK: [&str; 6] = ["designs", "--judge", "table_free", "--design", "walk_guard=none", "--format"];

fn judged(place: &Place, more: &[&str]) -> Value {
    let ran = place.run(&[&QUICK[..], &["json"], more].concat());
    let json = ran.json();
    assert_eq!(ran.code, i32::from(json["differ"] != 0), "{}", ran.err);
    json
}

#[test]
fn each_combination_has_a_row_and_each_backend_a_cell() {
    let place = Place::new();
    let json = judged(&place, &[]);
    assert_eq!(json["beside"], serde_json::json!([{ "point": "walk_guard", "variant": "none" }]));
    assert_eq!((&json["interrupted"], &json["differ"]), (&false.into(), &0.into()), "walk-unguarded says so");
    let table = &json["tables"][0];
    assert_eq!(table["points"], serde_json::json!(["table_free"]));
    let rows = table["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 8);
    for row in rows {
        let cells = row["cells"].as_array().expect("a list");
        let backends: Vec<_> = cells.iter().map(|cell| cell["backend"].as_str().expect("a name")).collect();
        assert_eq!(backends, ["native", "xen", "kvm", "hyperv"]);
        for cell in cells {
            assert_eq!((&cell["holds"], &cell["broken"]["pauses"]), (&false.into(), &1.into()), "{cell}");
            assert_eq!(cell["broken"]["protocol"], "walk-and-free");
            assert!(cell["broken"]["file"].is_null() && cell["catalogue"].is_string(), "{cell}");
        }
    }
    let text = place.run(&[&QUICK[..], &["text"]].concat());
    assert_eq!(text.code, 0, "{}", text.err);
    let mut lines = text.out.lines();
    assert_eq!(
        lines.next().map(|line| line.split_whitespace().collect::<Vec<_>>()),
        Some(vec!["table_free", "native", "xen", "kvm", "hyperv"])
    );
    assert!(lines.next().is_some_and(|line| line.starts_with("rcu-batch ") && line.contains("breaks [1]")));
    assert!(
        text.out.contains("[1] rule 6 (frames): a walk went through a freed table (walk-and-free, 1 pause)")
    );
    assert!(text.out.ends_with("32 verdicts; none differs from the catalogue\n"), "{}", text.out);
}

#[test]
fn the_answer_is_the_same_for_any_number_of_threads() {
    let place = Place::new();
    assert_eq!(judged(&place, &[]), judged(&place, &["--jobs", "3"]));
}

#[test]
fn the_story_by_which_a_design_breaks_is_written_and_finds_what_it_says() {
    let place = Place::new();
    let json = judged(&place, &["--out", "witnesses"]);
    let names = place.names("witnesses");
    assert_eq!(names.len(), 32);
    let told = &json["tables"][0]["rows"][1]["cells"][2];
    let file = told["broken"]["file"].as_str().expect("a file");
    let text = String::from_utf8(place.read(file)).expect("text");
    assert!(
        text.contains("under design table_free=with-pages\n") && text.contains("backends kvm\n"),
        "{text}"
    );
    let replayed = place.run(&["replay", "witnesses"]);
    assert_eq!(replayed.code, 0, "{}", replayed.out);
    assert_eq!(replayed.out.matches("as told").count(), 32, "{}", replayed.out);
}

#[test]
fn the_manual_shows_the_shape_of_the_answer() {
    const MANUAL: &str = include_str!("../../../docs/cli.md");
    let (_, section) = MANUAL.split_once("$ shootdown designs --judge").expect("an example");
    let (_, rest) = section.split_once("```json\n").expect("it shows a document");
    let (shown, _) = rest.split_once("```").expect("that ends");
    let shown: Value = serde_json::from_str(shown).expect("JSON");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let said = judged(&Place::new(), &[]);
    assert_eq!(keys(&shown), keys(&said));
    let cell = |json: &Value| json["tables"][0]["rows"][0]["cells"][0].clone();
    assert_eq!(keys(&cell(&shown)), keys(&cell(&said)));
    assert_eq!(keys(&cell(&shown)["broken"]), keys(&cell(&said)["broken"]));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_it_with_what_was_judged_by_then_and_exit_code_1() {
    let place = Place::new();
    let mut program = place.program(&["designs", "--judge", "--format", "json"]);
    let child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program runs");
    let status = format!("/proc/{}/status", child.id());
    // The second bit of the signals that it catches is Ctrl-C.
    let catches = || {
        let status = fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
        u64::from_str_radix(caught.trim(), 16).expect("a number") & 2 != 0
    };
    let ready = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(20));
        catches()
    });
    assert!(ready, "it catches Ctrl-C");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&said["interrupted"], &said["differ"]), (&true.into(), &0.into()));
    let last = &said["tables"][2]["rows"][43]["cells"][3];
    assert!(last["holds"].is_null() && last["differs"] == false, "{last}");
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let place = Place::new();
    place.refuses(
        &["designs", "--judge", "table_fre"],
        &["no design point \"table_fre\" about user memory; expected one of table_free, "],
    );
    place.refuses(&["designs", "--judge", "table_free,table_free"], &["expected table_free once"]);
    place.refuses(
        &["designs", "--judge", "table_free", "--design", "table_free=hook"],
        &["--design table_free: expected a point that --judge does not name"],
    );
    place.refuses(
        &["designs", "--judge", "table_free", "--design", "walk_guard=off"],
        &["expected one of irqs-off"],
    );
    place
        .refuses(&["designs", "--judge", "gup_reference", "--design", "drain=flush"], &["about user memory"]);
    place.refuses(&["designs", "--jobs", "2"], &["--judge"]);
}
