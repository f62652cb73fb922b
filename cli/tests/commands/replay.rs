//! `replay`.

use crate::program::{CALM, Place};

/// A story that finds something under `drain=inhibit` and nothing else.
const REUSED: &str = "\
story 1
under design drain=inhibit
cpus 2, hardware calm, sizes tiny, backends native
c0  vmap p0+1 -> a0
c1  read a0+0
c0  vunmap a0
c0  drain-aliases
c0  vmap p1+1 -> a1
";

#[test]
fn there_is_a_line_for_each_story_and_a_summary() {
    let place = Place::new();
    place.write("stories/calm.story", CALM);
    place.write("stories/deep/reused.story", REUSED);
    place.write("bytes", [4, 0, 0, 0]);
    let ran = place.run(&["replay", "stories", "bytes"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], "ok       stories/calm.story");
    let finding = "finding  stories/deep/reused.story (design drain=inhibit): rule ";
    assert!(lines[1].starts_with(finding), "{}", lines[1]);
    assert_eq!(lines[2], "ok       bytes");
    assert!(lines[3].starts_with("3 stories, ") && lines[3].ends_with("; 1 finding"), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn flags_go_before_what_the_file_remembers() {
    let place = Place::new();
    place.write("reused.story", REUSED);
    assert_eq!(place.run(&["replay", "reused.story"]).code, 1);
    let ran = place.run(&["replay", "reused.story", "--design", "drain=flush"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = place.run(&["replay", "reused.story", "--design", "pte_clear=at-vunmap"]);
    assert_eq!(ran.code, 1, "another point leaves this one as it is: {ran:?}");
}

#[test]
fn bytes_remember_nothing_and_take_flags() {
    let place = Place::new();
    place.write("reused.story", REUSED);
    place.run(&["encode", "reused.story", "-o", "bytes"]);
    assert_eq!(place.run(&["replay", "bytes"]).code, 0);
    assert_eq!(place.run(&["replay", "bytes", "--design", "drain=inhibit"]).code, 1);
}

#[test]
fn json_says_where_and_what_was_seen() {
    let place = Place::new();
    place.write("reused.story", REUSED);
    let replayed = place.run(&["replay", "--format", "json", "reused.story"]).json();
    let story = &replayed["stories"][0];
    assert_eq!((&replayed["findings"], &story["file"]), (&1.into(), &"reused.story".into()));
    assert_eq!(story["under"]["designs"][0]["variant"], "inhibit");
    assert_eq!(story["finding"]["event"], 4);
    let headline = story["finding"]["headline"].as_str().expect("a headline");
    assert!(headline.starts_with("rule ") && headline.contains("on native"), "{headline}");
}
