//! `minimize`.

use crate::program::{CALM, Place};

/// More than is needed for the canary to be heard: its witness has one event.
const LONG: &str = "\
story 1
under bug canary
cpus 3, hardware eager-walkers lifo-reuse, sizes small, backends native xen
c0  vmap p0+2 -> a0
c1  read a0+1
c2  free-page p3            pause at 2
c0  vunmap a0
c1  drain-aliases
c2  continue
";

#[test]
fn the_shortest_story_with_the_same_headline_is_printed() {
    let place = Place::new();
    place.write("long.story", LONG);
    let headline = |file| {
        let replayed = place.run(&["replay", "--format", "json", file]).json();
        replayed["stories"][0]["finding"]["signature"].clone()
    };
    let ran = place.run(&["minimize", "long.story"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    let finds = "finds rule 10 (rest): pages were not given back";
    assert_eq!(lines[..3], ["story 1", "under bug canary", finds]);
    assert_eq!(lines.len(), 5, "one event is enough: {}", ran.out);
    assert!(ran.err.contains("from 6 to 1 event"), "{}", ran.err);

    place.write("short.story", &ran.out);
    assert_eq!(headline("short.story"), headline("long.story"));
    assert_eq!(place.run(&["replay", "short.story"]).code, 0, "it finds what it says");
    assert_eq!(place.run(&["minimize", "short.story"]).out, ran.out, "it does not get shorter");
}

#[test]
fn the_story_is_written_whole_and_never_over_another() {
    let place = Place::new();
    place.write("long.story", LONG);
    let printed = place.run(&["minimize", "long.story"]).out;
    for _ in 0..2 {
        let ran = place.run(&["minimize", "long.story", "-o", "short.story"]);
        assert_eq!((ran.code, ran.out.as_str()), (0, "long.story -> short.story\n"), "{ran:?}");
        assert_eq!(place.read("short.story"), printed.as_bytes());
    }
    place.write("other.story", "mine");
    let said = ["other.story: is there already with another content"];
    place.refuses(&["minimize", "long.story", "-o", "other.story"], &said);
    assert_eq!(place.read("other.story"), b"mine");
    assert_eq!(place.names(""), ["long.story", "other.story", "short.story"]);
}

#[test]
fn a_story_that_cannot_take_the_place_of_another_is_printed_and_not_lost() {
    let place = Place::new();
    place.write("long.story", LONG);
    place.write("other.story", CALM);
    let printed = place.run(&["minimize", "long.story"]);
    let ran = place.run(&["minimize", "long.story", "-o", "other.story"]);
    assert_eq!((ran.code, &ran.out), (2, &printed.out), "{ran:?}");
    assert!(ran.err.contains("other.story: is there already with another content"), "{}", ran.err);
    assert_eq!(place.read("other.story"), CALM.as_bytes());

    let ran = place.run(&["minimize", "long.story", "-o", "other.story", "--format", "json"]);
    let said = ran.json();
    assert_eq!((ran.code, &said["story"]), (2, &printed.out.into()), "{ran:?}");
    assert!(said["written"].is_null(), "{said}");
    assert_eq!(place.names(""), ["long.story", "other.story"]);
}

#[test]
fn bytes_are_minimized_under_the_bug_that_is_named_and_its_first_variant_that_shows() {
    let place = Place::new();
    place.write("long.story", LONG.replace("under bug canary\n", ""));
    place.run(&["encode", "long.story", "-o", "bytes"]);
    let file = format!("bytes/{}", place.names("bytes")[0]);
    let ran = place.run(&["minimize", &file, "--bug", "canary", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let minimized = ran.json();
    assert_eq!((&minimized["under"]["bug"], &minimized["events"]), (&"canary".into(), &1.into()));
    assert_eq!((&minimized["interrupted"], &minimized["events_before"]), (&false.into(), &6.into()));
    assert!(minimized["story"].as_str().is_some_and(|story| story.starts_with("story 1\n")), "{minimized}");
}

#[test]
fn designs_that_the_finding_does_not_need_are_named_no_more_and_the_bug_stays() {
    let place = Place::new();
    let designs = "under design pte_clear=at-purge\nunder design table_drain=never\n";
    let pinned = "\ncpus 2, hardware calm, sizes tiny, backends xen, designs page_flags=plain kernel_tables=kept\n\
        c0  vmap p0+1 -> a0\nc0  vunmap a0\nc0  make-table p0\n";
    place.write("pinned.story", format!("story 1\n{designs}under design dma_drain=flush{pinned}"));
    let ran = place.run(&["minimize", "pinned.story", "--design", "kernel_flush=hypercall"]);
    let finds = "finds rule 7 (hypervisor): the hypervisor refused\n";
    let head = format!("story 1\n{designs}{finds}cpus 1, hardware calm, sizes tiny, backends xen\n");
    assert!(ran.code == 0 && ran.out.starts_with(&head), "{ran:?}");
    assert!(ran.err.contains("not needed: design dma_drain=flush, design kernel_flush=hypercall"), "{ran:?}");
    place.write("shortest.story", &ran.out);
    let again = place.run(&["replay", "shortest.story"]);
    assert!(again.code == 0 && again.out.contains("as told"), "it needs no flags: {again:?}");

    place.write("long.story", LONG);
    let ran = place.run(&["minimize", "long.story", "--design", "drain=tables-only", "--format", "json"]);
    let under = ran.json()["under"].clone();
    assert_eq!((&under["bug"], &under["designs"]), (&"canary".into(), &serde_json::json!([])), "{ran:?}");
}

#[test]
fn a_story_that_raises_no_alarm_cannot_be_minimized() {
    let place = Place::new();
    place.write("calm.story", CALM);
    let said = ["nothing to minimize: calm.story raises no alarm"];
    place.refuses(&["minimize", "calm.story"], &said);
    place.refuses(&["minimize", "calm.story", "-o", "out.story"], &said);
    assert_eq!(place.names(""), ["calm.story"]);
}
