//! Strange files and strange arguments: whatever a command is given, it ends soon, with a code that it should end with,
//! and takes little memory; and what is nearly text is never played as bytes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;
use serde_json::Value;

use crate::program::{CALM, Place, Ran};

/// The same cases always.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    }
}

/// Runs the program with ten seconds and 512 MiB; more of either ends it with a code that is none of its own.
fn tame(place: &Place, arguments: &[impl AsRef<OsStr>]) -> Ran {
    let program = place.program(arguments);
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 524288 && exec timeout 10 \"$@\"", "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    let code = output.status.code();
    assert!(matches!(code, Some(0..=2)), "{arguments:?}: {output:?}");
    let ran = Ran::from(output);
    assert!(!ran.err.contains("panicked"), "{arguments:?}: {ran:?}");
    assert!(ran.code != 2 || ran.err.len() < 20_000, "a message is short: {arguments:?}: {}", ran.err.len());
    ran
}

/// A place of a command line in which a file stands: what comes before it, and after.
type Slot = (&'static [&'static str], &'static [&'static str]);

/// Each place for a file that is read or written.
const SLOTS: [Slot; 12] = [
    (&["show"], &[]),
    (&["replay"], &[]),
    (&["explain", "--bytes"], &[]),
    (&["encode"], &["-o", "made"]),
    (&["encode", "--bytes"], &[]),
    (&["encode", "calm.story", "-o"], &[]),
    (&["minimize"], &[]),
    (&["minimize", "calm.story", "-o"], &[]),
    (&["run", "--stories", "3", "--out"], &[]),
    (&["cost", "--question", "drain", "--cpus", "1", "--backends", "native", "--model"], &[]),
    (&["cost", "--question", "drain", "--cpus", "1", "--backends", "native", "--update"], &[]),
    (&["cost", "--question", "scaling", "--cpus", "1", "--backends", "native", "--svg"], &[]),
];

fn in_slot((before, after): Slot, file: &OsStr) -> Vec<OsString> {
    let of = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    [of(before), vec![file.to_owned()], of(after)].concat()
}

/// Names that lead to no ordinary file, or are no ordinary names.
fn strange_names(place: &Place) -> Vec<OsString> {
    place.write("calm.story", CALM);
    place.folder("folder");
    place.write("-dash.story", CALM);
    place.write("a name.story", CALM);
    place.write("two\nlines \x1b[2J.story", CALM);
    let no_text = OsString::from_vec(b"\xff\xfe.story".to_vec());
    std::fs::write(place.path("").join(&no_text), CALM).expect("a file");
    symlink("nowhere", place.path("dangling")).expect("a link");
    symlink("circle", place.path("circle")).expect("a link");
    symlink("folder", place.path("link")).expect("a link");
    UnixListener::bind(place.path("socket")).expect("a socket");
    let plain = [
        "folder",
        "folder/",
        "calm.story/",
        "calm.story/a",
        "missing/a",
        "free/",
        "-dash.story",
        "./-dash.story",
        "a name.story",
        "two\nlines \x1b[2J.story",
        "dangling",
        "circle",
        "link",
        "socket",
        "",
        "--",
        "/dev/zero",
        "/dev/null",
        "/dev/full",
        "/dev/stdin",
        "/proc/self/mem",
        "/proc/self/maps",
    ];
    let long = OsString::from("x".repeat(5000));
    plain.into_iter().map(OsString::from).chain([no_text, long]).collect()
}

#[test]
fn strange_names_are_refused_or_read_wherever_a_file_is_named() {
    let place = Place::new();
    let names = strange_names(&place);
    for name in &names {
        for slot in SLOTS {
            let ran = tame(&place, &in_slot(slot, name));
            assert!(!ran.err.contains('\x1b'), "{slot:?} {name:?}: a terminal would act upon {:?}", ran.err);
            let device = name.as_bytes().starts_with(b"/dev/");
            assert!(!device || ran.code == 2, "{slot:?} {name:?}: {ran:?}");
        }
    }
}

#[test]
fn a_pipe_that_nothing_is_written_to_is_refused_wherever_a_file_is_named() {
    let place = Place::new();
    place.write("calm.story", CALM);
    let made = Command::new("mkfifo").arg(place.path("pipe")).status().expect("mkfifo");
    assert!(made.success());
    thread::scope(|scope| {
        for slot in SLOTS {
            let place = &place;
            scope.spawn(move || {
                let ran = tame(place, &in_slot(slot, OsStr::new("pipe")));
                assert_eq!(ran.code, 2, "{slot:?}: {ran:?}");
            });
        }
    });
}

/// What becomes of a text on its way through editors, mail and bad disks.
#[derive(Clone, Debug)]
enum Damage {
    Front(&'static str),
    Upper,
    LineEnds(&'static str),
    Wide { bytes: usize, big: bool, mark: bool },
    Bytes(Vec<(Index, u8)>),
    CutAt(Index),
    Inserted(Index, &'static str),
    LongLine(Index, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let piece =
        select(vec!["\0", "\x1b[2J", "\u{feff}", "\u{200b}", "\t", "\r", "\n", "  ", "//", ",", "story 1\n"]);
    let front = select(vec![
        "\u{feff}",
        "\n",
        " ",
        "\t",
        "// why\n",
        "\r\n",
        "\0",
        "\u{a0}",
        "#!shootdown\n",
        "\x0c",
    ]);
    let strange = (any::<Index>(), any::<u8>());
    prop_oneof![
        front.prop_map(Damage::Front),
        Just(Damage::Upper),
        select(vec!["\r\n", "\r", "\n\n", "\u{2028}", "\u{85}"]).prop_map(Damage::LineEnds),
        (select(vec![2, 4]), any::<bool>(), any::<bool>()).prop_map(|(bytes, big, mark)| Damage::Wide {
            bytes,
            big,
            mark
        }),
        proptest::collection::vec(strange, 1..5).prop_map(Damage::Bytes),
        any::<Index>().prop_map(Damage::CutAt),
        (any::<Index>(), piece).prop_map(|(at, piece)| Damage::Inserted(at, piece)),
        (any::<Index>(), select(vec!["x", "a0 ", "//", ",", "\u{fc}"]))
            .prop_map(|(at, word)| Damage::LongLine(at, word)),
    ]
}

/// The encodings in which each letter has as many bytes.
fn wide(text: &str, bytes: usize, big: bool, mark: bool) -> Vec<u8> {
    let letters = mark.then_some('\u{feff}').into_iter().chain(text.chars());
    letters
        .flat_map(|letter| {
            let mut letter = (u32::from(letter)).to_le_bytes()[..bytes].to_vec();
            if big {
                letter.reverse();
            }
            letter
        })
        .collect()
}

fn damaged(text: &str, damage: &Damage) -> Vec<u8> {
    let at = |index: &Index| index.index(text.len() + 1);
    let inserted = |index: &Index, piece: &str| {
        let (before, after) = text.split_at(at(index));
        [before, piece, after].concat().into_bytes()
    };
    match damage {
        Damage::Front(front) => [front, text].concat().into_bytes(),
        Damage::Upper => text.to_uppercase().into_bytes(),
        Damage::LineEnds(end) => text.replace('\n', end).into_bytes(),
        Damage::Wide { bytes, big, mark } => wide(text, *bytes, *big, *mark),
        Damage::Bytes(changes) => {
            let mut content = text.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(content.len());
                // What begins with a 1 says that it is bytes.
                content[at] = if at == 0 && *byte == 1 { 2 } else { *byte };
            }
            content
        }
        Damage::CutAt(index) => text.as_bytes()[..at(index)].to_vec(),
        Damage::Inserted(index, piece) => inserted(index, piece),
        Damage::LongLine(index, word) => inserted(index, &word.repeat(300_000)),
    }
}

const LINES: &str = "\
story 1
// What it is about, in a line that people read.
under design drain=flush
cpus 2, hardware lazy-stores, sizes tiny, backends native xen
c0  vmap p0+2 -> a0
c1  read a0+1                pause before load pte
c0  vunmap a0
";

proptest! {
    #![proptest_config(cases(150))]
    #[test]
    fn what_is_nearly_text_is_never_played_as_bytes(damage in damage()) {
        let place = Place::new();
        place.write("a.story", damaged(LINES, &damage));
        for command in ["show", "replay"] {
            let ran = tame(&place, &[command, "--format", "json", "a.story"]);
            if ran.code == 2 {
                prop_assert!(ran.err.starts_with("shootdown: a.story: "), "{}", ran.err);
                continue;
            }
            let said = ran.json();
            let form = if command == "show" { &said["form"] } else { &said["stories"][0]["form"] };
            prop_assert_eq!(form, &Value::from("text"));
        }
    }
}

/// Records after a header, as engines make them.
fn encoded(records: Vec<(u8, u8, [u8; 2])>) -> Vec<u8> {
    let records = records.into_iter().flat_map(|(tag, lane, [a, b])| [tag, lane, a, b]);
    [1, 1, 0, 3].into_iter().chain(records).collect()
}

/// Content that is no story, or one that no person would write.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = proptest::collection::vec(any::<u8>(), 0..5000);
    let few_bytes = proptest::collection::vec(any::<u8>(), 0..20);
    let records = proptest::collection::vec((0_u8..50, 0_u8..8, any::<[u8; 2]>()), 0..60);
    let words = "(story|cpus|under|bug|c[0-3]|vmap|->|[pa][0-9]|\\+|1|,|//|\\[|=|\"| |\\t|\\n|ü){0,80}";
    let front = select(vec![
        "",
        "\x02",
        "story 1\n",
        "story 1\ncpus 2\n",
        "story 1\ncpus 2, backends ",
        "[nanoseconds]\n",
    ]);
    let much = select(vec![
        "\0",
        "\n",
        "x",
        "xen ",
        "c0  continue\n",
        "under design drain=flush\n",
        "[[",
        "a.b=1\n",
    ]);
    prop_oneof![
        1 => any_bytes,
        1 => few_bytes,
        1 => records.prop_map(encoded),
        1 => words.prop_map(String::into_bytes),
        1 => words.prop_map(|words| format!("story 1\ncpus 2\n{words}").into_bytes()),
        3 => (front, much, 0_usize..260_000).prop_map(|(front, piece, times)| [front, &piece.repeat(times)].concat().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(cases(100))]
    #[test]
    fn any_content_is_read_or_refused_by_every_command(content in content(), slot in select(SLOTS.to_vec())) {
        let place = Place::new();
        place.write("calm.story", CALM);
        place.write("file", content);
        tame(&place, &in_slot(slot, OsStr::new("file")));
    }

    #[test]
    fn any_arguments_are_taken_or_refused(
        command in select(vec!["show", "replay", "explain", "encode", "minimize", "run", "cost", "bugs", "designs", "", "-"]),
        arguments in proptest::collection::vec(argument(), 0..4),
    ) {
        let place = Place::new();
        place.write("calm.story", CALM);
        let limits: &[&str] = match command {
            "run" => &["--stories", "3"],
            "cost" => &["--question", "drain", "--cpus", "1", "--backends", "native"],
            _ => &["calm.story"],
        };
        let mut all: Vec<OsString> = [command].iter().chain(limits).map(OsString::from).collect();
        all.extend(arguments);
        tame(&place, &all);
    }
}

fn argument() -> impl Strategy<Value = OsString> {
    let known = select(vec![
        "--bytes",
        "--format",
        "--format=json",
        "json",
        "text",
        "--bug",
        "none",
        "canary",
        "--bug=x",
        "--design",
        "drain=flush",
        "--design==",
        "--seed",
        "--seed=18446744073709551615",
        "-1",
        "99999999999999999999",
        "--out",
        "-o",
        "-o=",
        "--",
        "-",
        "",
        "calm.story",
        "./calm.story",
        ".",
        "--help",
        "-h",
        "--version",
        "--until=",
        "--coverage",
        "--sample-designs",
        "--svg=a.svg",
        "--update=calm.story",
        "--model=calm.story",
    ]);
    prop_oneof![
        8 => known.prop_map(OsString::from),
        1 => proptest::collection::vec(1_u8.., 0..12).prop_map(OsString::from_vec),
    ]
}
