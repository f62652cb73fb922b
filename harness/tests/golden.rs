//! What files mean, kept by digests: the text and bytes of every kind of record, what stories resolve to, and which stories the
//! generator tells. A digest that changes says that a story of before means something else now, or that a seed stands for other
//! stories, as it does with every new operation. What the corpus finds is kept line by line.

use harness::catalogue::Selection;
use harness::checks::Checks;
use harness::runner::Runner;
use harness::story::{Backends, Document, Generator, ResolvedAction, STRIDE, Story, Tag};
use machine::Family;
use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

/// FNV-1a of all that was written, and how much that is.
#[derive(PartialEq, Eq)]
struct Digest {
    hash: u64,
    bytes: u64,
}

impl Digest {
    const NONE: Self = Self { hash: 0xcbf2_9ce4_8422_2325, bytes: 0 };

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.bytes += bytes.len() as u64;
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest {{ hash: {:#018x}, bytes: {} }}", self.hash, self.bytes)
    }
}

/// Every value of a byte that a record has, beside a few of the byte that goes with it.
fn operands() -> impl Iterator<Item = [u8; 2]> {
    const BESIDE: [u8; 12] = [0, 1, 2, 7, 15, 16, 17, 31, 63, 64, 128, 255];
    let pairs = BESIDE.into_iter().flat_map(|one| (0..=255).map(move |other| [one, other]));
    pairs.flat_map(|[one, other]| [[one, other], [other, one]])
}

/// The kind of points that a byte stood for when this began. One that named none stood for any, and for which may change with each kind
/// that comes.
const fn kind_of_then(byte: u8) -> u8 {
    byte % 18
}

/// What a byte stood for as a family when this began. One that named none stood for any, and which one that is may change with each
/// family that comes.
fn family_of_then(byte: u8) -> u8 {
    let since = |family: Family| matches!(family.0, 58..128);
    let then = || impls::family::ALL.iter().map(|(family, _)| *family).filter(|family| !since(*family));
    let family = Family(byte);
    if family == Family::NONE || impls::family::name(family).is_some_and(|_| !since(family)) {
        return byte;
    }
    then().nth(usize::from(byte) % then().count()).expect("there are so many").0
}

/// What a byte stood for as a design when this began.
fn design_of_then(byte: u8) -> u8 {
    const THEN: [u8; 25] =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24, 40, 41, 42, 60, 61, 62, 70];
    if byte == 0 || THEN.contains(&byte) { byte } else { THEN[usize::from(byte) % THEN.len()] }
}

/// A record that means now what it meant then.
fn of_then([tag, lane, a, b]: [u8; STRIDE]) -> [u8; STRIDE] {
    match Tag::from_number(tag) {
        Some(Tag::PauseBefore) => [tag, kind_of_then(lane), family_of_then(a), b],
        Some(Tag::Designs) => [tag, design_of_then(lane), design_of_then(a), design_of_then(b)],
        _ => [tag, lane, a, b],
    }
}

/// Every tag with all the operands, as a record of an event, or after an event that takes it; and whether there was the tag when this
/// began.
fn records() -> impl Iterator<Item = (Vec<u8>, bool)> {
    Tag::ALL.iter().flat_map(|tag| {
        let was_there = matches!(tag.number(), 0..43 | 128..135 | 192..196);
        operands().map(move |[a, b]| {
            let before: &[u8] = if tag.is_event() { &[] } else { &[Tag::Read.number(), 0, 0, 0] };
            let record = of_then([tag.number(), (a ^ b) & 31, a, b]);
            ([before, &record].concat(), was_there)
        })
    })
}

#[test]
fn every_record_has_its_bytes_and_its_text() {
    let mut digest = Digest::NONE;
    for (record, was_there) in records() {
        let bytes = [&[1, 3, 15, 3], &record[..]].concat();
        let story = Story::decode(&bytes).expect("short enough");
        let text = story.to_string();
        assert_eq!(text.parse::<Story>().as_ref(), Ok(&story), "{text}");
        if was_there {
            digest.add(&story.encode());
            digest.add(text.as_bytes());
        }
    }
    assert_eq!(digest, Digest { hash: 0xde70_8a35_265e_0955, bytes: 45_731_242 });
}

/// Numbers by chance, the same for ever (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % end
    }
}

/// A story of a few dozen events whose operands are mostly the first slots, so that few events are void.
fn by_chance(chance: &mut Chance, tags: &[u8]) -> Story {
    let mut bytes = vec![1, chance.below(4) as u8, chance.below(16) as u8, 3];
    for _ in 0..4 + chance.below(28) {
        let number = tags[chance.below(tags.len() as u64) as usize];
        let slot = |chance: &mut Chance| {
            let most = if chance.below(4) == 0 { 256 } else { 4 };
            chance.below(most) as u8
        };
        bytes.extend(of_then([number, chance.below(32) as u8, slot(chance), slot(chance)]));
    }
    assert!(bytes.len().is_multiple_of(STRIDE));
    Story::decode(&bytes).expect("short enough")
}

#[test]
fn stories_resolve_to_what_they_did() {
    // Pauses and what is on no CPU come as often as any operation. The tags that there were when this began: a new one must
    // not change what the others resolve to.
    let tags: Vec<u8> =
        (1..=26).chain(28..=38).chain(40..=42).chain(128..=134).chain([192, 192, 192, 194]).collect();
    let (mut chance, mut digest) = (Chance(1), Digest::NONE);
    let (mut calls, mut void) = (0, 0);
    for _ in 0..200_000 {
        let resolved = by_chance(&mut chance, &tags).resolve();
        for told in &resolved.events {
            calls += usize::from(matches!(told.action, ResolvedAction::Call(_)));
            write!(digest, "{} {} {} ", told.index, told.cpu, told.nest).expect("it takes everything");
            match told.action {
                // In stories an arrow stands before what is new.
                ResolvedAction::Call(call) => digest.write_str(&call.to_string().replace("-> ", "")),
                ResolvedAction::Void => write!(digest, "void"),
                _ => write!(digest, "{}", told.to_event().expect("it is not void")),
            }
            .expect("it takes everything");
        }
        void += resolved.void;
        digest.add(&resolved.to_story().encode());
    }
    assert!(calls > 1_000_000 && void > 100_000, "{calls} calls and {void} void events");
    assert_eq!(digest, Digest { hash: 0xc07f_bfe7_ba0c_0538, bytes: 61_111_057 });
}

#[test]
fn a_seed_stands_for_the_same_stories() {
    let told = |seed, with_designs: bool| {
        let generator = Generator::new(seed).with_backends(Backends::all());
        let mut generator = if with_designs { generator.with_any_designs() } else { generator };
        let (mut story, mut digest) = (Story::default(), Digest::NONE);
        for _ in 0..5_000 {
            generator.next(&mut story);
            digest.add(&story.encode());
        }
        digest
    };
    let all = [told(1, false), told(2, false), told(3, true)];
    let expected = [
        Digest { hash: 0xb65e_e6b4_5859_3eee, bytes: 388_908 },
        Digest { hash: 0xa47e_fcc8_5f21_776f, bytes: 396_940 },
        Digest { hash: 0xce47_b1ec_f5b8_4bfd, bytes: 438_936 },
    ];
    assert_eq!(all, expected);
}

/// What each story of the corpus came to when the operations got their rows, on native and on Xen. A story of later has no line.
const CORPUS: &str = include_str!("golden/corpus.txt");

fn found_by(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name);
    let document = Document::read(&fs::read(file).expect("a file")).expect("a story");
    let mut line = format!("{name}:");
    for selection in Selection::all(&document.under).expect("the names are known") {
        for backend in Backends::NATIVE_AND_XEN {
            let found = Runner::new(selection.setup(), Checks::default()).play(&document.story, backend);
            let found = found.map(|found| format!("{} at {:?}", found.headline, found.event));
            write!(line, " [{}]", found.unwrap_or_default()).expect("text");
        }
    }
    line
}

#[test]
fn every_story_of_the_corpus_finds_what_it_did() {
    assert!(CORPUS.lines().count() > 150);
    for line in CORPUS.lines() {
        let (name, _) = line.split_once(':').expect("a name");
        assert_eq!(found_by(name), line);
    }
}
