//! The byte form: total below its cap, canonical, and with tags that never change.

use arbitrary::{Arbitrary, Unstructured};
use harness::story::{HEADER, MAX_BYTES, MAX_RECORDS, STRIDE, Story, Tag, TooLarge};
use machine::{Pause, PointKind};
use proptest::prelude::*;

use crate::strategy;

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself(story in strategy::story()) {
        let bytes = story.encode();
        prop_assert_eq!(bytes.len() % STRIDE, 0);
        prop_assert_eq!(Story::decode(&bytes), Ok(story));
    }

    #[test]
    fn typed_targets_see_the_story_that_the_bytes_hold(story in strategy::story()) {
        let bytes = story.encode();
        let rest = Story::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap();
        let part = Story::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        prop_assert_eq!(&rest, &story);
        prop_assert_eq!(&part, &story);
    }
}

/// `DECODE_STRINGS` sets how many strings are tried.
#[test]
fn random_bytes_decode_and_are_stable_once_encoded() {
    let strings = std::env::var("DECODE_STRINGS").map_or(200_000, |count| count.parse().unwrap());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut bytes, mut story, mut again) = (Vec::new(), Story::default(), Story::default());
    let mut events = 0;
    for _ in 0..strings {
        let length = (next() % 97) as usize;
        bytes.clear();
        bytes.extend((0..length).map(|_| (next() >> 32) as u8));
        story.decode_from(&bytes).unwrap();
        events += story.events.len();
        assert!((1..=4).contains(&story.header.cpus) && !story.header.backends.is_empty());
        assert!(story.events.iter().all(|event| event.cpu < story.header.cpus));
        story.encode_to(&mut bytes);
        again.decode_from(&bytes).unwrap();
        assert_eq!(story, again);
    }
    assert!(events > strings * 8, "random bytes hold events");
}

#[test]
fn nothing_at_all_is_a_story_without_events() {
    assert!(Story::decode(&[]).unwrap().events.is_empty());
    assert!(Story::decode(&[1, 2, 3]).unwrap().events.is_empty());
    assert!(Story::decode(&[0; HEADER + STRIDE - 1]).unwrap().events.is_empty());
}

#[test]
fn bytes_over_the_cap_are_refused_by_size() {
    let bytes = vec![7; MAX_BYTES + 1];
    assert_eq!(Story::decode(&bytes), Err(TooLarge { size: 4097 }));
    assert_eq!(TooLarge { size: 4097 }.to_string(), "a story is at most 4096 bytes long, and this has 4097");
    assert_eq!(Story::decode(&bytes[..MAX_BYTES]).unwrap().encode().len(), MAX_BYTES);
    assert!(Story::arbitrary_take_rest(Unstructured::new(&bytes)).is_err());
}

#[test]
fn a_story_with_too_many_events_is_encoded_up_to_the_cap() {
    let mut story = Story::decode(&[7; MAX_BYTES]).unwrap();
    let event = story.events[0];
    story.events.resize(MAX_RECORDS + 5, event);
    assert_eq!(Story::decode(&story.encode()).unwrap().events.len(), MAX_RECORDS);
}

#[test]
fn a_pause_belongs_to_the_event_before_it_and_the_last_one_counts() {
    let (read, pause, fill) = (Tag::Read.number(), Tag::PauseAt.number(), Tag::Fill.number());
    let paused = |records: &[[u8; 4]]| {
        let bytes = [&[1, 1, 0, 3], records.concat().as_slice()].concat();
        Story::decode(&bytes).unwrap().events.iter().map(|event| event.pause).collect::<Vec<_>>()
    };
    assert_eq!(paused(&[[read, 0, 0, 0], [pause, 9, 0, 0]]), [Some(Pause::At(9))]);
    assert_eq!(paused(&[[read, 0, 0, 0], [pause, 9, 0, 0], [pause, 0, 0, 0]]), [Some(Pause::At(1))]);
    assert_eq!(paused(&[[pause, 9, 0, 0], [read, 0, 0, 0]]), [None]);
    assert_eq!(paused(&[[fill, 0, 0, 0], [pause, 9, 0, 0]]), [None]);
}

#[test]
fn designs_of_bytes_are_correct_together_wherever_they_stand() {
    let decoded = |bytes: &[u8]| Story::decode(bytes).unwrap();
    let story = decoded(&[1, 1, 0, 3, 128, 0, 0, 0, 195, 1, 2, 0]);
    assert!(story.header.designs.changed().eq([("pte_clear", "at-purge"), ("drain", "tables-only")]));
    assert_eq!(story.events.len(), 1, "a record of designs is no event");
    assert_eq!(story.encode(), [1, 1, 0, 3, 195, 1, 2, 0, 128, 0, 0, 0]);
    let broken = decoded(&[1, 1, 0, 3, 195, 3, 0, 0]);
    assert_eq!(broken.header.designs.changed().next(), None, "drain=inhibit is broken");
    let on_native = decoded(&[1, 1, 0, 1, 195, 1, 9, 0]);
    let on_xen = decoded(&[1, 1, 0, 2, 195, 1, 9, 0]);
    assert_eq!(on_native.header.designs.changed().count(), 2);
    assert!(on_xen.header.designs.changed().eq([("pte_clear", "at-purge")]));
}

/// Every byte of the stored form that files may have which people keep. An operation of later has a number that none of these has.
#[test]
fn stored_numbers_never_change() {
    let word =
        |number: u8| Tag::ALL.iter().filter(|tag| tag.number() == number).map(|tag| tag.word()).collect();
    let kept: [(u8, &str); _] = [
        (1, "alloc-page"),
        (2, "free-page"),
        (3, "vmap"),
        (4, "vunmap"),
        (5, "map-ram"),
        (6, "unmap-ram"),
        (7, "drain-aliases"),
        (8, "read"),
        (9, "write"),
        (10, "make-table"),
        (11, "unmake-table"),
        (12, "set-page-flag"),
        (13, "pin-tree"),
        (14, "unpin-tree"),
        (15, "track-aliases"),
        (16, "dma-alloc"),
        (17, "dma-free"),
        (18, "device-read"),
        (19, "device-write"),
        (20, "hv-update"),
        (21, "hv-pin"),
        (22, "hv-unpin"),
        (23, "hv-exchange"),
        (24, "hv-write"),
        (25, "hv-flush"),
        (26, "hv-update-va"),
        (28, "vmalloc"),
        (29, "set-memory-ro"),
        (30, "set-memory-rox"),
        (31, "set-memory-rw"),
        (32, "vfree"),
        (33, "exec"),
        (34, "read-direct"),
        (35, "write-direct"),
        (36, "vmalloc-huge"),
        (37, "set-memory-wc"),
        (38, "set-memory-wb"),
        (40, "new-mm"),
        (41, "switch-mm"),
        (42, "drop-mm"),
        (43, "dma-alloc-wide"),
        (47, "mmap"),
        (48, "munmap"),
        (49, "mprotect"),
        (50, "dontneed"),
        (51, "load"),
        (52, "store"),
        (53, "gup-fast"),
        (54, "pin-read"),
        (55, "pin-write"),
        (56, "unpin"),
        (57, "free-tables"),
        (58, "mremap"),
        (59, "reclaim"),
        (60, "copy-from-user"),
        (61, "copy-to-user"),
        (62, "gup"),
        (63, "gup-forced"),
        (128, "continue"),
        (129, "deliver"),
        (130, "fill"),
        (131, "drain-stores"),
        (132, "grace-period"),
        (133, "run-work"),
        (134, "touch"),
        (135, "fill-user"),
        (192, "pause"),
        (193, "pause"),
        (194, "pause"),
        (195, "designs"),
        // More operands of the event before: it has no word of its own.
        (196, ""),
    ];
    for (number, kept) in kept {
        let words: Vec<&str> = word(number);
        assert_eq!(words, [kept], "{number}");
    }
    for (tag, kind) in PointKind::ALL.into_iter().enumerate() {
        assert_eq!((usize::from(kind.tag()), PointKind::from_tag(tag as u8)), (tag, Some(kind)));
    }
}

#[test]
fn the_layout_of_a_record_never_changes() {
    let text = "story 1
cpus 3, hardware lazy-stores reordered-interrupts, sizes small, backends xen
c1  vmap p3+8 -> a5
c2  drain-aliases irqs-off  pause at 17
c0  write r9+6              pause at 300
c1  map-ram p15+1 -> r2     pause before store pmd #2
c2  deliver from c1         pause before fence
c0  drain-stores 16
c0  fill a7+1
c1  free-page p11
grace-period
c2  run-work
";
    let bytes = [
        [1, 0b110, 0b1010, 2],
        [3, 1, 0x73, 5],
        [7, 6, 0, 0],
        [192, 17, 0, 0],
        [9, 0, 0xd9, 0],
        [193, 0, 44, 1],
        [5, 1, 0x0f, 2],
        [194, 1, 2, 2],
        [129, 2, 2, 0],
        [194, 3, 0, 1],
        [131, 0, 15, 0],
        [130, 0, 0x27, 0],
        [2, 1, 11, 0],
        [132, 0, 0, 0],
        [133, 2, 0, 0],
    ];
    let story: Story = text.parse().unwrap();
    assert_eq!(story.encode(), bytes.concat());
}

/// A buffer for a device that reaches all memory has a tag of its own: every record that was told before is about the other.
#[test]
fn which_device_a_buffer_is_for_is_told_by_the_tag() {
    let text = "story 1
cpus 2, hardware calm, sizes tiny, backends xen
c1  dma-alloc p3+2 -> b5 irqs-off
c1  dma-alloc-wide p3+2 -> b5 irqs-off
";
    let bytes = [[1, 1, 0, 2], [16, 5, 0x13, 5], [43, 5, 0x13, 5]];
    let story: Story = text.parse().unwrap();
    assert_eq!((story.encode(), story.to_string()), (bytes.concat(), text.to_owned()));
}

#[test]
fn the_layout_of_records_about_user_memory_never_changes() {
    let text = "story 1
cpus 2, hardware calm, sizes tiny, backends native
c0  mmap m3:5+2 private o9+1 writable
c1  mmap m0:15+8 anonymous readable
c0  munmap m15:0+3
c0  mprotect m1:2+1 writable
c1  load m2:14
c0  gup-fast m3:4+6 writable -> g7 irqs-off
c0  pin-write g7+5
c1  fill-user m2:9
";
    let bytes = [
        [1, 0b1, 0, 1],
        [47, 0, 0x53, 1 | 2 << 3 | 1 << 5],
        [196, 0x19, 0, 0],
        [47, 1, 0xf0, 7],
        [196, 0, 0, 0],
        [48, 0, 0x0f, 2],
        [49, 0, 0x21, 1 << 3],
        [51, 1, 0xe2, 0],
        [53, 4, 0x43, 5 | 1 << 3],
        [196, 7, 0, 0],
        [55, 0, 0x57, 0],
        [135, 1, 0x92, 0],
    ];
    let story: Story = text.parse().unwrap();
    assert_eq!((story.encode(), story.to_string()), (bytes.concat(), text.to_owned()));
}

#[test]
fn what_lies_behind_a_mapping_has_one_spelling_in_bytes() {
    let mapped = |kind: u8| {
        let record = [[47, 0, 0, kind << 3 | 0b11 << 5], [196, 0x0f, 0, 0]].concat();
        Story::decode(&[&[1, 0, 0, 3], record.as_slice()].concat()).unwrap()
    };
    assert_eq!(mapped(3), mapped(0), "of any kind without a meaning of its own is anonymous memory");
    assert_eq!(mapped(3).encode(), [1, 0, 0, 3, 47, 0, 0, 0, 196, 0, 0, 0]);
    assert!(mapped(1).to_string().ends_with("mmap m0:0+1 shared o15+3 readable\n"));
}
