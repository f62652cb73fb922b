//! `encode`.

use crate::program::{CALM, Place};

#[test]
fn bytes_show_the_text_that_they_were_made_from() {
    let place = Place::new();
    place.write("calm.story", CALM);
    let ran = place.run(&["encode", "calm.story"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let name = ran.out.trim().strip_prefix("calm.story -> ").expect("from and to");
    assert!(matches!(name.split_once('.'), Some((stem, "bytes")) if stem.starts_with("calm-")), "{name}");
    assert_eq!(place.run(&["show", name]).out, CALM);
}

#[test]
fn folders_are_encoded_to_any_depth_and_hidden_files_and_readmes_are_passed_over() {
    let place = Place::new();
    for name in ["seeds/b.story", "seeds/deep/a.story"] {
        place.write(name, CALM);
    }
    for name in ["seeds/.hidden", "seeds/README.md", "seeds/deep/README.txt"] {
        place.write(name, "no story");
    }
    let ran = place.run(&["encode", "seeds", "-o", "made/for/it"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let names = place.names("made/for/it");
    let stems: Vec<_> = names.iter().map(|name| name.split('-').next().expect("a stem")).collect();
    assert_eq!(stems, ["a", "b"], "{names:?}");
}

#[test]
fn encoding_again_changes_nothing_and_an_edited_story_is_added() {
    let place = Place::new();
    place.write("a.story", CALM);
    place.run(&["encode", "a.story", "-o", "out"]);
    let first = place.names("out");
    let again = place.run(&["encode", "a.story", "-o", "out", "--format", "json"]).json();
    assert_eq!(again["files"][0]["written"], false);
    assert_eq!(place.names("out"), first);

    place.write("a.story", CALM.replace("a0+1", "a0+0"));
    assert_eq!(place.run(&["encode", "a.story", "-o", "out"]).code, 0);
    assert_eq!(place.names("out").len(), 2);
}

#[test]
fn another_file_in_the_way_stays_as_it_is() {
    let place = Place::new();
    place.write("a.story", CALM);
    place.run(&["encode", "a.story", "-o", "out"]);
    let name = format!("out/{}", place.names("out")[0]);
    place.write(&name, "mine");
    place.refuses(&["encode", "a.story", "-o", "out"], &[&name, "with another content"]);
    assert_eq!(place.read(&name), b"mine");
}

#[test]
fn who_encodes_a_finding_is_told_that_bytes_do_not_remember_the_bug() {
    let place = Place::new();
    place.write("a.story", CALM.replace("story 1\n", "story 1\nunder bug canary\n"));
    let ran = place.run(&["encode", "a.story"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("`under` lines of 1 story were left off"), "{}", ran.err);
}
