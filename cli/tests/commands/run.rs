//! `run`. What it finds is found under a design that is known to be wrong: `drain=inhibit`.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Place, Ran};

const WRONG: &str = "drain=inhibit";

fn json(ran: &Ran) -> Value {
    ran.json()["runs"][0].clone()
}

#[test]
fn the_default_designs_raise_no_alarm() {
    let place = Place::new();
    let ran = place.run(&["run", "--stories", "2000", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let run = json(&ran);
    assert_eq!((&run["stories"], &run["findings"]), (&2000.into(), &Value::Array(Vec::new())));
    for backend in run["backends"].as_array().expect("a list") {
        // Stories without user memory are mostly played on the first two.
        let expected = if ["native", "xen"].iter().any(|name| backend["name"] == *name) {
            2000..=2000
        } else {
            400..=1000
        };
        assert!(expected.contains(&backend["stories"].as_u64().expect("a number")), "{backend}");
    }
    assert!(run["events"].as_u64() > Some(2000 * 4), "{run}");
    assert_eq!(place.names(""), [""; 0], "nothing was found and nothing is left");
}

#[test]
fn each_distinct_finding_is_written_with_what_it_was_found_under() {
    let place = Place::new();
    let ran = place.run(&["run", "--stories", "2000", "--design", WRONG, "--format", "json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let run = json(&ran);
    let findings = run["findings"].as_array().expect("a list");
    assert!(findings.len() > 1, "{run}");
    let mut files: Vec<_> =
        findings.iter().map(|finding| finding["file"].as_str().expect("a file").to_owned()).collect();
    files.sort();
    let written: Vec<_> =
        place.names("findings").into_iter().map(|name| format!("findings/{name}")).collect();
    assert_eq!(files, written);
    for finding in findings {
        let replayed = place.run(&["replay", finding["file"].as_str().expect("a file"), "--format", "json"]);
        assert_eq!(replayed.code, 1, "{replayed:?}");
        assert_eq!(replayed.json()["stories"][0]["finding"]["headline"], finding["headline"]);
    }
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_jobs() {
    let place = Place::new();
    let run = |jobs, out| {
        let ran = place.run(&["run", "--stories", "3000", "--design", WRONG, "--jobs", jobs, "--out", out]);
        assert_eq!(ran.code, 1, "{ran:?}");
        (ran.out.replace(out, "OUT"), place.names(out))
    };
    let alone = run("1", "alone");
    assert_eq!(run("3", "three"), alone);
    assert_eq!(run("8", "eight"), alone);
}

#[test]
fn seeds_differ_and_a_seed_repeats_itself() {
    let place = Place::new();
    let run = |seed| place.run(&["run", "--stories", "300", "--seed", seed]).out;
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7").replace("seed 7", "seed 8"), run("8"));
}

#[test]
fn only_the_backends_that_are_asked_for_play() {
    let place = Place::new();
    let run = json(&place.run(&["run", "--stories", "50", "--backends", "native", "--format", "json"]));
    for backend in run["backends"].as_array().expect("a list") {
        let expected = if backend["name"] == "native" { 50 } else { 0 };
        assert_eq!(backend["stories"], expected, "{backend}");
    }
}

#[test]
fn coverage_names_what_hardly_came_up() {
    let place = Place::new();
    let ran = place.run(&["run", "--stories", "50", "--coverage"]);
    assert!(ran.out.contains("safety steps met") && ran.out.contains("Less than 100 times:"), "{}", ran.out);
    let thin =
        json(&place.run(&["run", "--stories", "50", "--coverage", "--format", "json"]))["thin"].clone();
    assert!(thin.as_array().is_some_and(|thin| !thin.is_empty()), "{thin}");
}

#[test]
fn a_run_ends_at_the_finding_that_is_sought() {
    let place = Place::new();
    let sought = "rule 1 (outcome): a page holds in the end what it never could";
    let bug = ["--bug", "exchange-alias.b"];
    let ran = place
        .run(&[&["run", "--stories", "200000", "--until", sought, "--format", "json"], &bug[..]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    let run = json(&ran);
    assert!(run["stories"].as_u64() < Some(100_000), "{run}");
    let findings = run["findings"].as_array().expect("a list");
    let found = |finding: &Value| {
        finding["signature"]
            .as_str()
            .is_some_and(|told| told.contains("a page holds in the end what it never could"))
    };
    assert!(findings.len() > 1 && findings.iter().any(found), "other findings do not end it: {run}");
}

/// A stale range is met by every operation that maps.
#[test]
fn a_finding_is_told_once_with_everyone_who_met_it() {
    let place = Place::new();
    let run = json(&place.run(&["run", "--stories", "20000", "--design", WRONG, "--format", "json"]));
    let findings = run["findings"].as_array().expect("a list");
    let signatures: BTreeSet<_> = findings.iter().map(|finding| finding["signature"].to_string()).collect();
    assert_eq!(signatures.len(), findings.len(), "{run}");
    for met in ["vmap", "map-ram", "vmalloc"] {
        assert!(findings[0]["met_by"].as_array().is_some_and(|by| by.iter().any(|it| it == met)), "{run}");
    }
}

#[test]
fn a_run_ends_after_its_seconds() {
    let place = Place::new();
    let ran = place.run(&["run", "--seconds", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("/s), 0 findings in 1."), "{}", ran.err);
}

#[test]
fn a_finding_that_is_there_is_no_obstacle_and_another_file_is_never_replaced() {
    let place = Place::new();
    let run = || place.run(&["run", "--stories", "500", "--design", WRONG, "--jobs", "2"]);
    let first = run();
    let names = place.names("findings");
    assert_eq!(run().out, first.out);
    assert_eq!(place.names("findings"), names);

    let name = format!("findings/{}", names[0]);
    place.write(&name, "mine");
    let ran = run();
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains(&name) && ran.err.contains("with another content"), "{}", ran.err);
    assert_eq!(place.read(&name), b"mine");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_its_summary_and_keeps_the_findings() {
    let place = Place::new();
    let mut child = place
        .program(&["run", "--design", WRONG, "--jobs", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let found = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(50));
        place.path("findings").is_dir() && !place.names("findings").is_empty()
    });
    assert!(found, "it finds something within half a minute");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let code = child.wait().expect("it ends").code();
    let mut out = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains(", interrupted\n") && out.contains("findings/"), "{out}");
    assert!(place.names("findings").iter().all(|name| !name.starts_with('.')), "whole files only");
}

#[test]
fn a_bug_without_its_letter_is_planted_in_each_variant_in_turn() {
    let place = Place::new();
    let command = ["run", "--stories", "200", "--bug", "va-reuse-unflushed", "--format", "json"];
    let ran = place.run(&command);
    assert_eq!(ran.code, 1, "{ran:?}");
    let runs = ran.json()["runs"].as_array().expect("a list").clone();
    let bugs: Vec<_> = runs.iter().map(|run| run["under"]["bug"].as_str().expect("a bug")).collect();
    assert_eq!(bugs, ["va-reuse-unflushed.a", "va-reuse-unflushed.b"]);
    for run in &runs {
        let file = run["findings"][0]["file"].as_str().expect("a file");
        let story = String::from_utf8(place.read(file)).expect("text");
        let under = format!("story 1\nunder bug {}\ncpus ", run["under"]["bug"].as_str().expect("a bug"));
        assert!(story.starts_with(&under), "{story}");
    }
}

#[test]
fn a_bug_that_only_one_backend_can_see_is_silent_on_the_other() {
    let place = Place::new();
    let run = |bug, backends| {
        let all = ["run", "--stories", "1000", "--bug", bug, "--backends", backends, "--format", "json"];
        json(&place.run(&all))["findings"].as_array().expect("a list").len()
    };
    assert_eq!(run("lazy-alias-pins.a", "native"), 0);
    assert!(run("lazy-alias-pins.a", "xen") > 0);
}

/// Stories draw their designs, and the flag takes away what spares one of them.
#[test]
fn sampled_designs_are_correct_beside_those_that_are_asked_for() {
    let place = Place::new();
    let ran = place.run(&["run", "--sample-designs", "--design", "drain=flush", "--stories", "4000"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
