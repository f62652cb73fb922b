//! `explain`.

use crate::program::{CALM, Place};

/// What it finds is seen in its last event.
const REUSED: &str = "\
story 1
under bug va-reuse-unflushed.a
cpus 2, hardware calm, sizes tiny, backends native
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
";

#[test]
fn headline_marked_story_lanes_and_replay_command_are_said() {
    let place = Place::new();
    place.write("reused.story", REUSED);
    let ran = place.run(&["explain", "reused.story"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("rule 4 (kernel range reuse): vmap on native, c"), "{}", ran.out);
    assert!(ran.out.contains("    c0  drain-aliases\n>>  c0  vmap p1+1 -> a1\n"), "{}", ran.out);
    assert_eq!(ran.out.matches("\n>>  ").count(), 1, "{}", ran.out);
    assert!(ran.out.contains("How it came about on native:\n"), "{}", ran.out);
    let lanes = place.run(&["explain", "reused.story", "--format", "json"]).json()["lanes"].clone();
    assert_eq!((&lanes[0]["backend"], &lanes[0]["found"]), (&"native".into(), &true.into()));
    assert!(lanes[0]["text"].as_str().is_some_and(|text| ran.out.contains(text)), "{lanes}");
    assert!(ran.out.contains("shootdown -- replay reused.story\n"), "{}", ran.out);
}

#[test]
fn the_replay_command_says_what_the_file_does_not() {
    let place = Place::new();
    place.write("reused.story", REUSED);
    place.run(&["encode", "reused.story", "-o", "bytes"]);
    let file = format!("bytes/{}", place.names("bytes")[0]);
    let explained = place.run(&["explain", &file, "--bug", "va-reuse-unflushed", "--format", "json"]).json();
    assert_eq!(explained["under"]["bug"], "va-reuse-unflushed.a");
    let command = explained["replay"].as_str().expect("a command");
    let arguments: Vec<_> = command.split(' ').skip_while(|word| *word != "replay").collect();
    assert_eq!(arguments, ["replay", &file, "--bug", "va-reuse-unflushed.a"]);
    assert_eq!(place.run(&arguments).code, 1);
}

#[test]
fn the_replay_command_takes_for_bytes_what_was_taken_for_bytes() {
    let place = Place::new();
    place.write("-calm.story", CALM);
    let explained = place.run(&["explain", "--bytes", "--format", "json", "./-calm.story"]).json();
    let command = explained["replay"].as_str().expect("a command");
    assert!(command.ends_with(" replay ./-calm.story --bytes"), "{command}");
    let explained = place.run(&["explain", "--format", "json", "--", "-calm.story"]).json();
    let command = explained["replay"].as_str().expect("a command");
    assert!(command.ends_with(" replay ./-calm.story"), "a name is no flag: {command}");
}

#[test]
fn what_is_seen_after_the_last_event_is_marked_there() {
    let place = Place::new();
    place.write("canary.story", "story 1\nunder bug canary\ncpus 1, backends native\nc0  free-page p0\n");
    let ran = place.run(&["explain", "canary.story"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("    c0  free-page p0\n>>  after the last event\n"), "{}", ran.out);
}

#[test]
fn a_story_that_raises_no_alarm_is_clean() {
    let place = Place::new();
    place.write("calm.story", CALM);
    let ran = place.run(&["explain", "calm.story"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "calm.story: raises no alarm\n"));
    let ran = place.run(&["explain", "calm.story", "--bug", "canary", "--format", "json"]);
    assert_eq!(ran.code, 0, "no page is freed: {ran:?}");
    assert!(ran.json()["finding"].is_null(), "{}", ran.out);
}
