//! The text form: lossless, and helpful where it is wrong.

use harness::story::{Document, Form, MAX_BYTES, MAX_RECORDS, ReadError, Story, Under};
use oracle::Rule;
use proptest::prelude::*;

use crate::strategy;

proptest! {
    #[test]
    fn text_and_bytes_hold_the_same(story in strategy::story()) {
        let text = story.to_string();
        let read: Story = text.parse().unwrap();
        prop_assert_eq!(&read, &story);
        let decoded = Story::decode(&read.encode()).unwrap();
        prop_assert_eq!(decoded.to_string(), text);
    }

    #[test]
    fn under_and_finds_lines_are_kept_beside_the_story(
        story in strategy::story(),
        bug in proptest::option::of("[a-z][a-z-]{0,20}(\\.[ab])?"),
        designs in proptest::collection::vec(("[a-z_]{1,12}", "[a-z-]{1,12}"), 0..4),
        finds in proptest::option::of(("[a-z]{1,9}( [a-z(:]{1,9}){0,5}", proptest::sample::select(Rule::ALL))),
    ) {
        let finds = finds.map(|(what, rule)| format!("{rule}: {what}"));
        let document = Document { story, under: Under { bug, designs }, finds };
        prop_assert_eq!(Document::read(document.to_string().as_bytes()), Ok(document));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "story 1\ncpus 2\n(c[0-2] |[a-z-]{1,8} |[parcmog#][0-9]{1,3}(:[0-9]{1,2})?(\\+[0-9])? |\\+|-> |//|,|ü|\\n){0,30}") {
        if let Err(error) = Document::parse(&text) {
            prop_assert!(error.to_string().starts_with("line "), "{}", error);
        }
    }
}

const EXAMPLE: &str = "story 1
under bug va-reuse-unflushed.a
under design pte_clear=at-purge
finds rule 4 (kernel range reuse): a CPU holds a translation from before
cpus 2, hardware eager-walkers lazy-stores, sizes tiny, backends native xen
c0  vmap p0+2 -> a0
c1  read a0+1
c0  vunmap a0               pause before store lazy_pages
c1  vmap p2+1 -> a1
c1  drain-aliases irqs-off  pause at 17
c0  continue                pause before store lazy_pages #2
c1  deliver from c0
c1  deliver
c1  fill a0+1
c1  drain-stores 2
grace-period
c0  run-work
c0  map-ram p0+1 -> r0
c0  unmap-ram r0
c0  alloc-page -> p4
c0  free-page p4 irqs-off
c0  make-table p1
c0  unmake-table p1
c1  pin-tree p0+3 -> t2 irqs-off  pause before locked alias_count
c1  unpin-tree t2
c1  set-page-flag p0        pause before store page_flags
c1  track-aliases
c0  write a0+1
c0  new-object +2 -> o0
c0  new-mm -> m0
c1  mmap m0:5+2 private o0+1 writable
c0  mmap m0:0+1 anonymous readable  pause before locked pte
c1  gup-fast m0:5+2 writable -> g0 irqs-off
c1  pin-write g0+1
c0  store m0:5
c1  fill-user m0:6
";

#[test]
fn the_canonical_text_is_written_as_it_was_read() {
    let document = Document::read(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(document.under.bug.as_deref(), Some("va-reuse-unflushed.a"));
    assert_eq!(document.under.designs, [("pte_clear".to_owned(), "at-purge".to_owned())]);
    let finds = "rule 4 (kernel range reuse): a CPU holds a translation from before";
    assert_eq!(document.finds.as_deref(), Some(finds));
    assert_eq!(document.to_string(), EXAMPLE);
    assert_eq!(format!("{:?}", document.story), document.story.to_string());
}

#[test]
fn comments_blank_lines_and_missing_clauses_are_allowed() {
    let text = "story 1  // for people\r
\r
   // nothing here
cpus 3, backends xen // the rest is calm and tiny
\tc2 \tread r1+0 pause at 3  // here
c0  grace//period
";
    let error = Document::parse(text).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 6, column 5: expected an operation like vmap, read or continue, found \"grace//period\""
    );
    let lines: Vec<&str> = text.lines().take(5).collect();
    let story: Story = lines.join("\n").parse().unwrap();
    assert_eq!(
        story.to_string(),
        "story 1\ncpus 3, hardware calm, sizes tiny, backends xen\nc2  read r1+0               pause at 3\n"
    );
}

fn message(lines: &str) -> String {
    let text = format!("story 1\ncpus 2, hardware calm, sizes tiny, backends native xen\n{lines}");
    Document::read(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn an_error_in_an_event_names_place_and_expectation() {
    for (line, error) in [
        ("c0  free-page q7", "column 15: expected a page slot like p3, found \"q7\""),
        ("c0  free-page p16", "column 15: expected a page slot from p0 to p15, found \"p16\""),
        ("c0  free-page", "column 14: expected a page slot like p3, found the end of the line"),
        ("c0  vmap p0+9 -> a0", "column 10: expected 1 to 8 pages, like p0+2, found \"p0+9\""),
        ("c0  vmap p0 -> a0", "column 10: expected a first page and how many, like p0+2, found \"p0\""),
        ("c0  vmap p0+1 a0", "column 15: expected \"->\", found \"a0\""),
        ("c0  vmap p0+1 -> r0", "column 18: expected an area slot like a3, found \"r0\""),
        ("c0  read p0+1", "column 10: expected a page of a mapping, like a0+1 or r2+0, found \"p0+1\""),
        ("c0  read a0+8", "column 10: expected a page from a0+0 to a0+7, found \"a0+8\""),
        ("c0  load m0", "column 10: expected a page of an address space, like m0:5, found \"m0\""),
        ("c0  load p0:3", "column 10: expected an address space like m3, found \"p0:3\""),
        ("c0  fill-user m1:16", "column 15: expected a page from m1:0 to m1:15, found \"m1:16\""),
        ("c0  munmap m0:3", "column 12: expected pages of an address space, like m0:5+2, found \"m0:3\""),
        ("c0  munmap m0+3", "column 12: expected pages of an address space, like m0:5+2, found \"m0+3\""),
        ("c0  munmap m0:3+9", "column 12: expected 1 to 8 pages, like m0:3+2, found \"m0:3+9\""),
        ("c0  mmap m0:3+1 hidden", "column 17: expected anonymous, shared or private, found \"hidden\""),
        (
            "c0  mmap m0:3+1 shared",
            "column 23: expected a page of an object, like o0+1, found the end of the line",
        ),
        ("c0  mmap m0:3+1 shared o0", "column 24: expected a page of an object, like o0+1, found \"o0\""),
        ("c0  mmap m0:3+1 private o0+4", "column 25: expected a page from o0+0 to o0+3, found \"o0+4\""),
        ("c0  mprotect m0:3+1 large", "column 21: expected readable or writable, found \"large\""),
        ("c0  pin-read g0+8", "column 14: expected a page from g0+0 to g0+7, found \"g0+8\""),
        ("c0  pin-read g0", "column 14: expected a pinned page, like g0+1, found \"g0\""),
        ("c0  unpin m0", "column 11: expected pins like g3, found \"m0\""),
        ("c2  continue", "column 1: expected a CPU from c0 to c1, found \"c2\""),
        ("vmap p0+1 -> a0", "column 1: expected a CPU like c0, found \"vmap\""),
        ("c0  vmop", "column 5: expected an operation like vmap, read or continue, found \"vmop\""),
        ("c0  pause at 3", "column 5: expected an operation like vmap, read or continue, found \"pause\""),
        ("c0", "column 3: expected an operation like vmap, read or continue, found the end of the line"),
        (
            "c0  grace-period",
            "column 5: expected grace-period without a CPU, or another operation, found \"grace-period\"",
        ),
        ("c0  vunmap a0 irqs-off", "column 15: expected a pause or the end of the line, found \"irqs-off\""),
        (
            "c0  read a0+0 irqsoff",
            "column 15: expected irqs-off, a pause or the end of the line, found \"irqsoff\"",
        ),
        ("c0  fill a0+0  pause at 3", "column 16: expected the end of the line, found \"pause\""),
        ("c0  drain-stores 0", "column 18: expected a number of stores from 1 to 16, found \"0\""),
        ("c0  deliver from", "column 17: expected a CPU like c0, found the end of the line"),
        ("c0  continue  pause on 3", "column 21: expected \"at\" or \"before\", found \"on\""),
        ("c0  continue  pause at 0", "column 24: expected a number of points from 1 to 65535, found \"0\""),
        ("c0  continue  pause at +3", "column 24: expected a number of points from 1 to 65535, found \"+3\""),
        (
            "c0  continue  pause before sture",
            "column 28: expected a kind of point like store or invlpg, found \"sture\"",
        ),
        (
            "c0  continue  pause before store ptes",
            "column 34: expected a family like pte or lazy_pages, found \"ptes\"",
        ),
        (
            "c0  continue  pause before store pte #0",
            "column 38: expected an occurrence from #1 to #255, found \"#0\"",
        ),
        (
            "under bug canary",
            "column 1: expected \"under\" lines before the header, events after it, found \"under\"",
        ),
    ] {
        assert_eq!(message(line), format!("line 3, {error}"), "{line}");
    }
}

#[test]
fn an_error_before_the_events_names_place_and_expectation() {
    let finds = "a rule and what breaks it, like rule 5 (drain): an alias is left in a TLB";
    let header = "the header, like \"cpus 2, hardware calm, sizes tiny, backends native xen\"";
    for (text, error) in [
        ("story 2\n", "line 1, column 7: expected story version 1, the only one known here, found \"2\"".to_owned()),
        (
            "story   next\n",
            "line 1, column 9: expected story version 1, the only one known here, found \"next\"".to_owned(),
        ),
        ("story  \n", "line 1, column 6: expected a story version, found the end of the line".to_owned()),
        ("story 1 x\n", "line 1, column 9: expected the end of the line, found \"x\"".to_owned()),
        ("story 1\n\n", format!("line 3, column 1: expected {header}, found the end of the line")),
        ("story 1\nc0  continue\n", format!("line 2, column 1: expected {header}, found \"c0\"")),
        ("story 1\ncpus 5\n", "line 2, column 6: expected a number of CPUs from 1 to 4, found \"5\"".to_owned()),
        ("story 1\ncpus 2, sizes big\n", "line 2, column 15: expected tiny, small or real, found \"big\"".to_owned()),
        ("story 1\ncpus 2, sizes tiny, sizes real\n", "line 2, column 21: expected each clause once, found \"sizes\"".to_owned()),
        ("story 1\ncpus 2 sizes tiny\n", "line 2, column 8: expected a comma or the end of the line, found \"sizes\"".to_owned()),
        (
            "story 1\ncpus 2, backends bhyve\n",
            "line 2, column 18: expected native, xen, kvm or hyperv, found \"bhyve\"".to_owned(),
        ),
        ("story 1\ncpus 2, hardware\n", "line 2, column 17: expected calm, eager-walkers, lazy-stores, lifo-reuse or reordered-interrupts, found the end of the line".to_owned()),
        ("story 1\ncpus 2, designs\n", "line 2, column 16: expected a design point and its variant, like pte_clear=at-purge, found the end of the line".to_owned()),
        ("story 1\ncpus 2, designs drain\n", "line 2, column 17: expected a design point and its variant, like pte_clear=at-purge, found \"drain\"".to_owned()),
        ("story 1\ncpus 2, designs pte_clear=late\n", "line 2, column 17: expected one of at-vunmap, at-purge, found \"pte_clear=late\"".to_owned()),
        ("story 1\ncpus 2, designs drain=tables-only drain=flush\n", "line 2, column 35: expected each design point once at most, found \"drain=flush\"".to_owned()),
        ("story 1\ncpus 2, designs drain=inhibit\n", "line 2, column 9: expected designs that are correct together, which these are not (va-reuse-unflushed.a); broken ones stand in \"under design\" lines, found \"designs\"".to_owned()),
        ("story 1\nunder bug\n", "line 2, column 10: expected the name of a bug, found the end of the line".to_owned()),
        ("story 1\nunder design x\n", "line 2, column 14: expected a design point and its variant, like pte_clear=at-purge, found \"x\"".to_owned()),
        ("story 1\nfinds\n", format!("line 2, column 6: expected {finds}, found the end of the line")),
        ("story 1\nfinds rule 5\n", format!("line 2, column 7: expected {finds}, found \"rule\"")),
        ("story 1\nfinds rule 5 (drain):\n", format!("line 2, column 7: expected {finds}, found \"rule\"")),
        ("story 1\nfinds rule 5 (rest): it\n", format!("line 2, column 7: expected {finds}, found \"rule\"")),
        (
            "story 1\nfinds rule 5 (drain): it\nfinds rule 5 (drain): it\n",
            "line 3, column 1: expected no second finding, found \"finds\"".to_owned(),
        ),
        (
            "story 1\nfinds rule 7 (hypervisor): hv-pin on xen, c0: a CPU can write a page table\n",
            "line 2, column 7: expected what breaks it alone, without the operation, the backend and the CPU of a headline, \
             found \"rule\""
                .to_owned(),
        ),
        ("story 1\nunder bug a\nunder bug b\n", "line 3, column 7: expected no second bug, found \"bug\"".to_owned()),
    ] {
        assert_eq!(Document::read(text.as_bytes()).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn a_story_may_choose_its_designs_where_they_are_correct() {
    let both = "cpus 2, hardware calm, sizes tiny, backends native xen, designs pte_clear=at-purge drain=tables-only";
    let story: Story = format!("story 1\n{both}\n").parse().unwrap();
    assert!(story.header.designs.changed().eq([("pte_clear", "at-purge"), ("drain", "tables-only")]));
    let native =
        "cpus 2, hardware calm, sizes tiny, backends native, designs pte_clear=at-purge table_drain=never";
    assert!(format!("story 1\n{native}\n").parse::<Story>().is_ok(), "native allows tables to have aliases");
    let xen = native.replace("backends native", "backends xen");
    assert!(format!("story 1\n{xen}\n").parse::<Story>().is_err());
}

#[test]
fn text_with_stray_binary_names_the_byte() {
    let mut bytes = EXAMPLE.as_bytes().to_vec();
    bytes[13] = 0xff;
    assert_eq!(Document::read(&bytes), Err(ReadError::Binary { line: 2, column: 6, byte: 0xff }));
    bytes[13] = 0;
    let error = Document::read(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 6: expected text, found the byte 0x00");
}

#[test]
fn what_does_not_look_like_text_is_bytes() {
    let story = Document::read(EXAMPLE.as_bytes()).unwrap().story;
    assert_eq!(Document::read(&story.encode()), Ok(Document::from(story)));
    let error = Document::read(&[1; MAX_BYTES + 1]).unwrap_err();
    assert_eq!(error.to_string(), "expected the bytes of a story, at most 4096, found more");
}

#[test]
fn text_is_read_as_bytes_where_the_reader_says_that_it_is() {
    let text = EXAMPLE.as_bytes();
    assert_eq!(Document::read_as(Form::Bytes, text), Ok(Story::decode(text).unwrap().into()));
    assert_eq!(Document::read_as(Form::Bytes, b""), Ok(Story::decode(b"").unwrap().into()));
}

/// What editors and people put in front of a text.
#[test]
fn a_mark_white_space_and_comments_may_come_before_the_version() {
    let story = Document::parse(EXAMPLE).unwrap();
    let rest = EXAMPLE.strip_prefix("story 1\n").unwrap();
    for front in [
        "\u{feff}story 1\n",
        "\n\n// why\r\n  // and how\n\tstory 1\n",
        "\u{feff}// why\nstory 1\n",
        "  story\t1  // here\r\n",
    ] {
        let text = format!("{front}{rest}");
        assert_eq!(Document::read(text.as_bytes()).as_ref(), Ok(&story), "{front:?}");
        assert_eq!(text.parse().as_ref(), Ok(&story), "{front:?}");
    }
}

#[test]
fn what_does_not_begin_as_a_story_is_named_with_its_place() {
    for (front, error) in [
        ("", "line 1, column 1: expected \"story 1\", found the end of the file"),
        ("\n// nothing\n", "line 3, column 1: expected \"story 1\", found the end of the file"),
        ("\n  STORY 1\n", "line 2, column 3: expected \"story 1\", found \"STORY\""),
        ("\u{feff}\u{feff}story 1\n", "line 1, column 1: expected \"story 1\", found \"\\u{feff}story\""),
        ("story1\n", "line 1, column 1: expected \"story 1\", found \"story1\""),
        ("\nstory 2\n", "line 2, column 7: expected story version 1, the only one known here, found \"2\""),
        ("\u{feff}story 1 \u{1}", "line 1, column 9: expected text, found the byte 0x01"),
    ] {
        assert_eq!(Document::read(front.as_bytes()).unwrap_err().to_string(), error, "{front:?}");
    }
    let utf_16 = |order: fn(u16) -> [u8; 2], mark: &str| {
        format!("{mark}{EXAMPLE}").encode_utf16().flat_map(order).collect::<Vec<_>>()
    };
    for (order, column) in [(u16::to_le_bytes as fn(u16) -> [u8; 2], 2), (u16::to_be_bytes, 1)] {
        assert_eq!(Document::read(&utf_16(order, "\u{feff}")), Err(ReadError::Utf16));
        let unmarked = Document::read(&utf_16(order, ""));
        assert_eq!(unmarked, Err(ReadError::Binary { line: 1, column, byte: 0 }));
    }
}

#[test]
fn a_long_word_is_told_by_its_beginning() {
    let said = message(&format!("c0  {}", "x".repeat(100_000)));
    assert!(said.ends_with(&format!("found \"{}\"…", "x".repeat(60))), "{said}");
}

/// As long as a text gets, all of it words of one line: where each word counts those before it, this takes twelve seconds.
#[test]
fn a_line_that_is_as_long_as_a_text_gets_is_read() {
    let text = format!("story 1\ncpus 1, backends {}\n", "xen ".repeat(200_000));
    assert!(Document::parse(&text).is_ok());
}

#[test]
fn a_text_holds_no_more_than_bytes_can() {
    let header = "story 1\ncpus 1\n";
    let most = header.to_owned() + &"c0  continue\n".repeat(MAX_RECORDS);
    assert_eq!(Document::parse(&most).unwrap().story.encode().len(), MAX_BYTES);
    let pauses = header.to_owned() + &"c0  continue  pause at 2\n".repeat(MAX_RECORDS / 2 + 1);
    assert_eq!(Document::parse(&pauses), Err(ReadError::TooLong { line: MAX_RECORDS / 2 + 3 }));
    let huge = header.to_owned() + &"// a comment\n".repeat(100_000);
    assert!(matches!(Document::read(huge.as_bytes()), Err(ReadError::TooLarge { .. })));
}

#[test]
fn what_happens_on_no_cpu_stands_on_a_line_of_its_own() {
    let lines =
        "d1  touch\ndevice-read b0+1\ndevice-write b15+7\nc0  dma-alloc p0+2 -> b3 irqs-off\nc0  fill b3+1\n";
    let story: Story = format!("story 1\ncpus 1\n{lines}").parse().unwrap();
    assert!(story.to_string().ends_with(lines), "{story}");
    for (line, expected) in [
        ("c0  touch", "touch after d1, or another operation, found \"touch\""),
        ("c0  device-read b0+0", "device-read without a CPU, or another operation, found \"device-read\""),
        ("d1  read b0+0", "touch, found \"read\""),
        ("device-read a0+0", "a page of a buffer, like b0+1, found \"a0+0\""),
        ("touch", "a CPU like c0, found \"touch\""),
    ] {
        let wrong = format!("story 1\ncpus 1\n{line}\n").parse::<Story>().unwrap_err().to_string();
        assert!(wrong.ends_with(expected), "{wrong}");
    }
}
