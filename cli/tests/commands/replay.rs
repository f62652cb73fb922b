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

const BREACH: &str = "rule 4 (kernel range reuse): a CPU holds a translation from before";

/// The same story, which says that it finds this.
fn that_says(finds: &str) -> String {
    REUSED.replacen("cpus", &format!("finds {finds}\ncpus"), 1)
}

#[test]
fn a_story_that_finds_what_its_file_says_is_no_failure_and_any_other_is() {
    let place = Place::new();
    place.write("a.story", that_says(BREACH));
    let ran = place.run(&["replay", "a.story"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("as told  a.story (design drain=inhibit): rule 4"), "{}", ran.out);

    let other = "rule 5 (drain): an alias is left in a TLB";
    place.write("b.story", that_says(other));
    place.write("c.story", that_says(BREACH).replace("=inhibit", "=flush"));
    let ran = place.run(&["replay", "a.story", "b.story", "c.story"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[1].starts_with("differs  b.story (design drain=inhibit): rule 4"), "{}", lines[1]);
    assert_eq!(lines[2], format!("         expected, as the file says: {other}"));
    assert_eq!(lines[3], "differs  c.story (design drain=flush)");
    assert_eq!(lines[4], format!("         expected, as the file says: {BREACH}; found nothing"));

    let json = place.run(&["replay", "--format", "json", "a.story", "b.story", "c.story"]).json();
    assert_eq!((&json["findings"], &json["differ"]), (&2.into(), &2.into()));
    let says =
        |story: usize| (json["stories"][story]["finds"].clone(), json["stories"][story]["differs"].clone());
    assert_eq!(says(0), (BREACH.into(), false.into()));
    assert_eq!(says(1), (other.into(), true.into()));
}

#[test]
fn what_a_file_says_counts_only_under_what_it_says() {
    let place = Place::new();
    place.write("a.story", that_says(BREACH));
    assert_eq!(place.run(&["replay", "a.story", "--design", "drain=flush"]).code, 0);
    let ran = place.run(&["replay", "a.story", "--design", "pte_clear=at-vunmap"]);
    assert_eq!(ran.code, 1, "it finds something, and its file does not say what under that: {ran:?}");
    assert!(ran.out.starts_with("finding  "), "{}", ran.out);
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
