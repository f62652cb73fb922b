//! What is read: text in whatever way it was saved, bytes, pipes; and what is not read, as it has no end.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{CALM, Place, Ran};

/// A story that finds something. Played as bytes it finds nothing.
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

/// Each command that reads a story, with the story at the end.
const READERS: [&str; 5] = ["show", "encode", "replay", "minimize", "explain"];

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn text_finds_the_same_however_it_was_saved() {
    let place = Place::new();
    let rest = REUSED.strip_prefix("story 1\n").expect("it begins so");
    for front in ["\u{feff}story 1\n", "\nstory 1\n", "// why\nstory 1\n", " story 1\n", "\tstory\t1\r\n"] {
        place.write("a.story", format!("{front}{rest}"));
        let ran = place.run(&["replay", "--format", "json", "a.story"]);
        assert_eq!((ran.code, &ran.json()["stories"][0]["form"]), (1, &"text".into()), "{front:?}: {ran:?}");
        assert_eq!(place.run(&["show", "a.story"]).out, REUSED, "{front:?}");
    }
}

#[test]
fn text_that_is_not_quite_a_story_is_refused_by_every_command() {
    let place = Place::new();
    let say_so = "say --bytes if it is no text";
    for (content, said) in [
        (Vec::new(), "line 1, column 1: expected \"story 1\", found the end of the file"),
        (b"// nothing yet\n".to_vec(), "line 2, column 1: expected \"story 1\", found the end of the file"),
        (REUSED.to_uppercase().into_bytes(), "line 1, column 1: expected \"story 1\", found \"STORY\""),
        (
            REUSED.replacen("story", "stor", 1).into_bytes(),
            "line 1, column 1: expected \"story 1\", found \"stor\"",
        ),
        (b"st".to_vec(), "line 1, column 1: expected \"story 1\", found \"st\""),
        (
            utf_16(&format!("\u{feff}{REUSED}")),
            "line 1, column 1: expected text in UTF-8, found the mark of UTF-16",
        ),
        (utf_16(REUSED), "line 1, column 2: expected text, found the byte 0x00"),
        (b"// f\xfcr Leser\nstory 1\n".to_vec(), "line 1, column 5: expected text, found the byte 0xfc"),
    ] {
        place.write("a.story", content);
        for reader in READERS {
            place.refuses(&[reader, "a.story"], &["a.story: ", said, say_so]);
        }
    }
}

#[test]
fn every_command_reads_text_as_bytes_when_it_is_told_to() {
    let place = Place::new();
    place.write("a.story", "anything at all");
    place.write("calm.story", CALM);
    let shown = place.run(&["show", "--bytes", "--format", "json", "a.story"]).json();
    assert_eq!(shown["form"], "bytes");
    let replayed = place.run(&["replay", "--bytes", "--format", "json", "a.story", "calm.story"]).json();
    for story in replayed["stories"].as_array().expect("a list") {
        assert_eq!(story["form"], "bytes");
    }
    assert_eq!(place.run(&["explain", "--bytes", "a.story"]).code, 0);
    place.refuses(&["minimize", "--bytes", "a.story"], &["nothing to minimize: a.story raises no alarm"]);
    let encoded = place.run(&["encode", "--bytes", "--format", "json", "a.story", "-o", "out"]).json();
    let file = encoded["files"][0]["to"].as_str().expect("a file");
    assert_eq!(place.run(&["show", file]).out, shown["story"].as_str().expect("text"));
}

#[test]
fn a_message_about_a_long_line_is_short() {
    let place = Place::new();
    let long = "x".repeat(500_000);
    for (text, said) in [
        (format!("story 1\n{long} {long}\n"), "line 2, column 1: expected the header"),
        (format!("story 1\ncpus 1\nc0  read a0+1 {long}\n"), "line 3, column 15: expected irqs-off"),
        (format!("story 1\nunder bug {long}\ncpus 1\n"), "; expected one of "),
        (format!("story 1\nunder design drain={long}\ncpus 1\n"), "; expected one of "),
        (long.clone(), "line 1, column 1: expected \"story 1\""),
    ] {
        place.write("a.story", text);
        let ran = place.run(&["replay", "a.story"]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(said) && ran.err.len() < 5000, "{} bytes: {:.300}", ran.err.len(), ran.err);
    }
    place.write("model.toml", format!("[nanoseconds]\n{long} = 1\n"));
    let ran = place.run(&["cost", "--model", "model.toml"]);
    assert!(ran.code == 2 && ran.err.len() < 5000, "{} bytes", ran.err.len());
}

#[test]
fn a_link_in_a_folder_that_leads_nowhere_is_named() {
    let place = Place::new();
    place.write("stories/a.story", CALM);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../a.story", place.path("stories/b.story")).expect("a link");
        place.refuses(&["replay", "stories"], &["stories/b.story: expected a story file: "]);
        place.write("a.story", CALM);
    }
    assert_eq!(place.run(&["replay", "stories"]).code, 0);
}

#[cfg(unix)]
#[test]
fn devices_are_refused_by_name() {
    let place = Place::new();
    for device in ["/dev/zero", "/dev/null", "/dev/full", "/dev/stdin"] {
        for reader in READERS {
            let ran: Ran = place
                .program(&[reader, device])
                .stdin(Stdio::null())
                .output()
                .expect("the program runs")
                .into();
            let said = format!("shootdown: {device}: expected a story file");
            assert!(ran.code == 2 && ran.err.starts_with(&said), "{ran:?}");
            assert!(ran.err.ends_with(", found a character device\n"), "{ran:?}");
        }
        place.refuses(&["cost", "--model", device], &[device, "expected a model, found a character device"]);
        place.refuses(
            &["cost", "--update", device],
            &[device, "expected a Markdown file, found a character device"],
        );
    }
}

/// What a shell makes of a line in which `shootdown` is the program.
#[cfg(unix)]
fn shell(place: &Place, line: &str) -> Ran {
    let program = place.program(&[""; 0]);
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("shootdown() {{ \"$0\" \"$@\"; }}\n{line}")])
        .arg(program.get_program())
        .current_dir(place.path(""))
        .output();
    output.expect("a shell").into()
}

#[cfg(unix)]
#[test]
fn pipes_are_read_to_their_end_and_no_further_than_a_story_goes() {
    let place = Place::new();
    place.write("reused.story", REUSED);
    let ran = shell(&place, "cat reused.story | shootdown replay /dev/stdin");
    assert!(ran.code == 1 && ran.out.starts_with("finding  /dev/stdin "), "{ran:?}");
    let ran = shell(&place, "shootdown show /dev/stdin < reused.story");
    assert_eq!((ran.code, ran.out.as_str()), (0, REUSED), "{ran:?}");
    let ran = shell(
        &place,
        "{ head -c 20 reused.story; sleep 3; tail -c +21 reused.story; } | shootdown show /dev/stdin",
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, REUSED), "a slow writer is waited for: {ran:?}");
    for (writer, said) in [
        ("cat /dev/zero", "expected the bytes of a story, at most 4096, found more"),
        ("yes //", "expected the text of a story, at most 1048576 bytes, found more"),
        ("true", "line 1, column 1: expected \"story 1\", found the end of the file"),
    ] {
        let ran = shell(&place, &format!("{writer} | shootdown replay /dev/stdin"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.starts_with(&format!("shootdown: /dev/stdin: {said}")), "{ran:?}");
    }
    let ran = shell(&place, "cat reused.story | shootdown encode /dev/stdin");
    assert!(ran.code == 2 && ran.err.contains("/dev/stdin: expected --out DIR"), "{ran:?}");
    let ran = shell(&place, "cat reused.story | shootdown encode /dev/stdin -o out");
    assert!(ran.code == 0 && place.names("out")[0].starts_with("stdin-"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_pipe_without_a_writer_is_refused_after_two_seconds() {
    let place = Place::new();
    assert_eq!(shell(&place, "mkfifo pipe").code, 0);
    let begun = Instant::now();
    place.refuses(&["replay", "pipe"], &["pipe: nothing was written to this pipe in 2 s"]);
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    thread::scope(|scope| {
        let replayed = scope.spawn(|| place.run(&["replay", "pipe"]));
        thread::sleep(Duration::from_millis(300));
        write_if_read(&place.path("pipe"), REUSED);
        assert_eq!(replayed.join().expect("it ends").code, 1, "a writer that comes in time is heard");
    });
    place.write("stories/a.story", CALM);
    assert_eq!(shell(&place, "mv pipe stories").code, 0);
    assert_eq!(place.run(&["replay", "stories"]).code, 0, "in a folder a pipe is no file");
}

/// Writes to a pipe whose reader may be gone: to open it as usual would wait for another one for ever.
#[cfg(unix)]
fn write_if_read(pipe: &Path, text: &str) {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    for _ in 0..20 {
        if let Ok(mut file) = OpenOptions::new().write(true).custom_flags(nonblock).open(pipe) {
            return file.write_all(text.as_bytes()).expect("a short text fits into a pipe");
        }
        thread::sleep(Duration::from_millis(100));
    }
}
