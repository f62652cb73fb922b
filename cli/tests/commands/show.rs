//! `show`.

use crate::program::{CALM, Place};

#[test]
fn text_comes_back_in_its_canonical_form() {
    let place = Place::new();
    place.write(
        "a.story",
        "story 1\nunder bug some-name\n// why\ncpus 1, backends native\nc0 vunmap a0 pause before store pte\n",
    );
    let ran = place.run(&["show", "a.story"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.out,
        "story 1\nunder bug some-name\ncpus 1, hardware calm, sizes tiny, backends native\n\
         c0  vunmap a0               pause before store pte\n"
    );
}

#[test]
fn any_bytes_are_a_story() {
    let place = Place::new();
    for (bytes, flag) in [
        (&b"\x00"[..], None),
        (&[0xff; 4096], None),
        (b"", Some("--bytes")),
        (b"anything at all, up to the cap", Some("--bytes")),
        (b"story", Some("--bytes")),
    ] {
        place.write("bytes", bytes);
        let shown = place.run(&["show", "bytes"].into_iter().chain(flag).collect::<Vec<_>>());
        assert_eq!(shown.code, 0, "{shown:?}");
        place.write("text", &shown.out);
        assert_eq!(place.run(&["show", "text"]).out, shown.out);
    }
}

#[test]
fn json_holds_the_story_and_what_it_remembers() {
    let place = Place::new();
    place.write("a.story", CALM.replace("story 1\n", "story 1\nunder bug b\nunder design drain=inhibit\n"));
    let shown = place.run(&["show", "--format", "json", "a.story"]).json();
    assert_eq!((&shown["file"], &shown["form"]), (&"a.story".into(), &"text".into()));
    assert_eq!(shown["under"]["bug"], "b");
    assert_eq!(shown["under"]["designs"][0]["point"], "drain");
    assert_eq!(shown["under"]["designs"][0]["variant"], "inhibit");
    assert_eq!((shown["events"].as_u64(), shown["void"].as_u64()), (Some(3), Some(0)));
    assert!(shown["story"].as_str().expect("text").ends_with("c0  vunmap a0\n"), "{shown}");
}

#[test]
fn a_reader_that_went_away_is_no_error_to_talk_about() {
    use std::process::Stdio;
    let place = Place::new();
    place.write("long", [4; 4096]);
    let mut child = place
        .program(&["show", "long"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
