//! What is wrong with what is asked is said with place and expectation, and nothing else is done.

use crate::program::{CALM, Place};

/// Each command that reads a story, with the story at the end.
const READERS: [&[&str]; 5] = [&["show"], &["encode"], &["replay"], &["minimize"], &["explain"]];

fn refuse_story(content: impl AsRef<[u8]>, said: &[&str]) {
    let place = Place::new();
    place.write("bad.story", content);
    for reader in READERS {
        let said: Vec<&str> = ["bad.story: "].iter().chain(said).copied().collect();
        place.refuses(&[reader, &["bad.story"]].concat(), &said);
    }
    assert_eq!(place.names(""), ["bad.story"], "nothing was written");
}

#[test]
fn an_unknown_version() {
    refuse_story(
        CALM.replace("story 1", "story 2"),
        &["line 1, column 7: expected story version 1", "found \"2\"", " 1 | story 2"],
    );
}

#[test]
fn a_malformed_line() {
    refuse_story(
        CALM.replace("c1  read", "c1  raed"),
        &["line 4, column 5: expected an operation", "found \"raed\"", "c1  raed a0+1\n   |     ^"],
    );
}

#[test]
fn a_truncated_line() {
    refuse_story(
        CALM.replace("c0  vunmap a0\n", "c0  vunmap"),
        &["line 5, column 11: expected", "found the end of the line"],
    );
    refuse_story("story 1\n", &["line 2, column 1: expected the header"]);
    refuse_story("story ", &["line 1, column 6: expected a story version"]);
}

#[test]
fn text_with_stray_binary() {
    refuse_story(
        [CALM.as_bytes(), b"c0  \xff\xfe"].concat(),
        &["line 6, column 5: expected text, found the byte 0xff"],
    );
    refuse_story(CALM.replace("read", "re\0ad"), &["line 4, column 7: expected text, found the byte 0x00"]);
}

#[test]
fn a_file_over_the_size_cap() {
    refuse_story([0; 4097], &["expected the bytes of a story, at most 4096, found more"]);
    refuse_story(vec![0; 5 << 20], &["expected the bytes of a story, at most 4096, found more"]);
    let comments = "// as long as it gets\n".repeat(100_000);
    refuse_story(
        format!("{CALM}{comments}"),
        &["expected the text of a story, at most 1048576 bytes, found more"],
    );
    refuse_story(CALM.to_owned() + &"c0  drain-aliases\n".repeat(1100), &["expected at most 1023 events"]);
}

#[test]
fn a_file_or_folder_that_is_not_there() {
    let place = Place::new();
    for reader in READERS {
        place.refuses(&[reader, &["missing/a.story"]].concat(), &["missing/a.story: expected a story file"]);
    }
}

#[test]
fn a_folder_without_stories() {
    let place = Place::new();
    place.folder("empty/deep");
    place.write("empty/README.md", "no story");
    for reader in [&["encode"], &["replay"]] {
        let said = ["empty: expected stories in this folder, found none"];
        place.refuses(&[&reader[..], &["empty"]].concat(), &said);
    }
    for reader in ["show", "minimize", "explain"] {
        place.refuses(&[reader, "empty"], &["empty: expected a story file, found a folder"]);
    }
}

#[test]
fn a_bad_file_in_a_folder_is_named() {
    let place = Place::new();
    place.write("stories/a.story", CALM);
    place.write("stories/b.story", "story 1\nnonsense\n");
    for reader in [&["encode"], &["replay"]] {
        let said = ["stories/b.story: line 2, column 1: expected the header"];
        place.refuses(&[&reader[..], &["stories"]].concat(), &said);
    }
}

#[test]
fn an_output_folder_that_cannot_be_written_to() {
    let place = Place::new();
    place.write("a.story", CALM);
    place.write("file", "no folder");
    let said = ["file/out: expected a folder that can be written to"];
    place.refuses(&["encode", "a.story", "-o", "file/out"], &said);
    place.refuses(&["encode", "a.story", "-o", "file"], &["file: expected a folder that can be written to"]);
    place.refuses(&["minimize", "a.story", "-o", "file/out"], &["file/out: cannot be written"]);
    place.refuses(&["minimize", "a.story", "-o", "no/out"], &["no/out: cannot be written"]);
}

#[test]
fn an_output_folder_of_a_run_that_cannot_be_written_to() {
    let place = Place::new();
    place.write("file", "no folder");
    let run = |out| ["run", "--stories", "10", "--out", out];
    place.refuses(&run("file/out"), &["file/out: expected a folder that can be written to"]);
    place.refuses(&run("file"), &["file: expected a folder that can be written to"]);
}

#[test]
fn an_unknown_bug_design_or_backend() {
    let place = Place::new();
    place.write("a.story", CALM);
    let all: [&[&str]; 3] = [&["run", "--stories", "10"], &["replay", "a.story"], &["minimize", "a.story"]];
    for command in all {
        let with = |flag: &[&'static str]| [command, flag].concat();
        place.refuses(&with(&["--bug", "no-such"]), &["--bug no-such: ", "expected"]);
        place.refuses(&with(&["--design", "no_such=x"]), &["no design point \"no_such\"; expected one of"]);
        place.refuses(&with(&["--design", "drain=x"]), &["no variant \"x\"; expected one of flush"]);
        place.refuses(&with(&["--design", "drain"]), &["expected POINT=VARIANT"]);
    }
    place.refuses(
        &["run", "--backends", "bhyve"],
        &["no backend \"bhyve\"; expected one of native, xen, kvm, hyperv"],
    );
}

#[test]
fn an_unknown_bug_or_design_within_a_file() {
    let place = Place::new();
    for (under, said) in [
        ("bug no-such", "\"under bug no-such\": "),
        ("design no_such=x", "\"under design no_such=x\": no design point"),
        ("design drain=x", "\"under design drain=x\": design drain has no variant"),
    ] {
        place.write("a.story", CALM.replace("story 1\n", &format!("story 1\nunder {under}\n")));
        for command in PLAYERS {
            place.refuses(&[command, &["a.story"]].concat(), &["a.story: ", said, "expected"]);
        }
    }
}

/// Each command that plays a story, with the story at the end.
const PLAYERS: [&[&str]; 3] = [&["replay"], &["minimize"], &["explain"]];

#[test]
fn a_run_of_nothing_or_by_nobody() {
    let place = Place::new();
    for flag in ["--jobs", "--stories", "--seconds"] {
        for wrong in ["0", "-1", "many", ""] {
            let flag = format!("{flag}={wrong}");
            place.refuses(&["run", &flag], &["expected a number from 1 "]);
        }
    }
    place.refuses(&["run", "--jobs", "1000000000"], &["expected a number from 1 to 256"]);
    place.refuses(&["run", "--stories", "1", "--seconds", "1"], &["cannot be used with"]);
}

#[test]
fn an_unknown_command_flag_or_format() {
    let place = Place::new();
    place.refuses(&["fuzz"], &["unrecognized subcommand 'fuzz'"]);
    place.refuses(&["designs", "--colour"], &["unexpected argument '--colour'"]);
    place.refuses(&["designs", "--format", "xml"], &["'xml' for '--format <FORMAT>'", "text, json"]);
}

#[test]
fn what_cost_is_asked_wrongly() {
    let place = Place::new();
    let model = include_str!("../../../harness/data/cost-model.toml");
    place.refuses(&["cost", "--model", "none.toml"], &["none.toml: "]);
    place.write("unknown.toml", model.replace("\nfence = 10", "\nfense = 10"));
    let said = ["unknown.toml: line ", "column 1: unknown field `fense`, expected one of `load`"];
    place.refuses(&["cost", "--model", "unknown.toml"], &said);
    place.write("negative.toml", model.replace("\nfence = 10", "\nfence = -10"));
    let said = ["negative.toml: line ", "expected nanoseconds, a number from 0 to"];
    place.refuses(&["cost", "--model", "negative.toml"], &said);
    place.write("source.toml", format!("{model}\nlatency = \"somebody\"\n"));
    let said = ["source.toml: line ", "a source of `latency`, which is no price"];
    place.refuses(&["cost", "--model", "source.toml"], &said);
    place.write("empty.toml", "");
    place.refuses(
        &["cost", "--model", "empty.toml"],
        &["empty.toml: line 1", "missing field", "expected [nanoseconds]"],
    );
    for wrong in ["0", "9", "", "4-2", "two"] {
        place.refuses(&["cost", &format!("--cpus={wrong}")], &["expected numbers of CPUs from 1 to 8"]);
    }
    place.refuses(&["cost", "--backends", "bhyve"], &["no backend \"bhyve\"; expected one of native, xen"]);
    place.refuses(
        &["cost", "--backends", "kvm"],
        &["--backends: expected native or xen, on which costs are measured"],
    );
    place.refuses(
        &["cost", "--question", "why"],
        &["no question \"why\"; expected one of drain, tables, scaling, user, sensitivity"],
    );
    place.refuses(
        &["cost", "--question", "tables", "--backends", "native"],
        &["expected xen among the backends"],
    );
    place.refuses(
        &["cost", "--question", "drain", "--svg", "a.svg"],
        &["--svg: expected the question scaling"],
    );
    place.refuses(&["cost", "--format", "xml"], &["'xml' for '--format <FORMAT>'", "table, json"]);
    place.refuses(&["cost", "--update", "none.md"], &["none.md: "]);
    place.write("other.md", "# Nothing about cost\n");
    let refused = ["cost", "--question", "tables", "--update", "other.md"];
    place.refuses(&refused, &["other.md: expected a block that begins with \"tables: "]);
}
