//! The mutator and the crossover: what they leave is a story, in the room that they have, and the same each time.

use std::collections::BTreeSet;

use harness::story::mutate::{Kernels, crossover, mutate};
use harness::story::{Generator, HEADER, MAX_BYTES, STRIDE, Story};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategy;

fn mutated(bytes: &[u8], max_size: usize, seed: u32) -> Vec<u8> {
    let mut data = bytes.to_vec();
    data.resize(bytes.len().max(max_size), 0);
    let kernels = if seed.is_multiple_of(2) { Kernels::AsTold } else { Kernels::Any };
    let size = mutate(&mut data, bytes.len(), max_size, seed, kernels);
    data.truncate(size);
    data
}

fn is_canonical(bytes: &[u8]) -> bool {
    Story::decode(bytes).is_ok_and(|story| story.encode() == bytes)
}

/// In this much room behind the header.
fn events_are_only_dropped(story: &Story, room: usize, seed: u32) {
    let bytes = story.encode();
    let header = HEADER + story.header.records() * STRIDE;
    let max_size = (header + room).min(bytes.len() - 1);
    let after = Story::decode(&mutated(&bytes, max_size, seed)).unwrap();
    assert_eq!(after.header, story.header);
    let mut rest = story.events.iter();
    assert!(after.events.iter().all(|event| rest.any(|old| old == event)), "in the same order");
}

fn crosses_over(a: &Story, b: &Story, room: usize, seed: u32) {
    let (a, b) = (a.encode(), b.encode());
    let mut out = vec![0; room];
    let size = crossover(&a, &b, &mut out, seed);
    assert!(is_canonical(&out[..size]));
    let mut again = vec![0; room];
    assert_eq!(crossover(&a, &b, &mut again, seed), size);
    assert_eq!(again, out);
}

#[test]
fn designs_are_not_dropped_with_the_last_event() {
    let header = "cpus 1, hardware calm, sizes tiny, backends native, designs table_drain=high-only kernel_flush=hypercall";
    let story = format!("story 1\n{header}\nc0  map-ram p0+1 -> r2      pause at 10\n").parse().unwrap();
    for room in 0..8 {
        for seed in [0, 3_313_376_293] {
            events_are_only_dropped(&story, room, seed);
        }
    }
}

#[test]
fn what_has_no_room_for_its_designs_is_crossed_over_without_them() {
    let story = |header: &str| format!("story 1\n{header}\nc0  drain-aliases\n").parse::<Story>().unwrap();
    let few = "cpus 2, hardware eager-walkers, sizes small, backends native, designs drain=on-map-everywhere";
    let many = format!("{few} table_drain=high-only kernel_flush=hypercall");
    for room in HEADER..24 {
        for seed in [0, 3_530_207_471] {
            crosses_over(&story(&many), &story(few), room, seed);
        }
    }
}

proptest! {
    #[test]
    fn a_mutated_story_is_canonical_and_fits(
        bytes in vec(any::<u8>(), 0..400), max_size in 0..600usize, seed in any::<u32>()
    ) {
        let after = mutated(&bytes, max_size, seed);
        prop_assert!(after.len() <= max_size);
        prop_assert!(max_size < HEADER || is_canonical(&after), "{:?}", after);
        prop_assert_eq!(&mutated(&bytes, max_size, seed), &after);
    }

    #[test]
    fn while_minimizing_events_are_only_dropped(story in strategy::story(), room in 0..80usize, seed in any::<u32>()) {
        // A header alone has nothing left to drop.
        prop_assume!(!story.events.is_empty());
        events_are_only_dropped(&story, room, seed);
    }

    #[test]
    fn a_crossover_is_canonical_and_fits(
        a in strategy::story(), b in strategy::story(), room in HEADER..600usize, seed in any::<u32>()
    ) {
        crosses_over(&a, &b, room, seed);
    }
}

#[test]
fn a_full_story_stays_within_the_cap() {
    let bytes = vec![3; MAX_BYTES];
    for seed in 0..300 {
        assert!(mutated(&bytes, MAX_BYTES, seed).len() <= MAX_BYTES);
        let mut out = vec![0; 2 * MAX_BYTES];
        assert!(crossover(&bytes, &bytes, &mut out, seed) <= MAX_BYTES);
    }
    assert!(mutated(&[3; 3 * MAX_BYTES], 3 * MAX_BYTES, 1).len() <= MAX_BYTES);
}

#[test]
fn every_part_of_a_story_is_mutated() {
    let text = "story 1\ncpus 2, hardware lazy-stores\nc0  vmap p0+2 -> a0\nc1  read a0+1\n\
                c0  vunmap a0  pause at 12\nc1  drain-aliases\nc0  continue\n";
    let story: Story = text.parse().unwrap();
    let bytes = story.encode();
    let mut seen = BTreeSet::new();
    for seed in 0..3000 {
        let after = Story::decode(&mutated(&bytes, 400, seed)).unwrap();
        let (old, new) = (&story.events, &after.events);
        let same_length = old.len() == new.len();
        let pairs = || old.iter().zip(new);
        let (header, was) = (after.header, story.header);
        let found = [
            ("longer", new.len() > old.len()),
            ("much longer", new.len() > old.len() + 4),
            ("shorter", new.len() < old.len()),
            ("reordered", same_length && old != new && old.iter().all(|event| new.contains(event))),
            (
                "pause",
                same_length && pairs().all(|(a, b)| a.action == b.action && a.cpu == b.cpu) && old != new,
            ),
            (
                "pause near",
                new.get(2).is_some_and(|event| {
                    matches!(event.pause, Some(machine::Pause::At(9..=15))) && event.pause != old[2].pause
                }),
            ),
            (
                "cpu",
                same_length
                    && pairs().all(|(a, b)| a.action == b.action)
                    && pairs().any(|(a, b)| a.cpu != b.cpu),
            ),
            ("irqs-off", after.to_string().contains("irqs-off")),
            ("temperament", header.temperament != was.temperament),
            ("cpus", header.cpus != was.cpus),
            ("sizes", header.sizes != was.sizes),
            ("backends", header.backends != was.backends),
            ("operand", new.len() > 1 && new[1].action.name() == "read" && new[1].action != old[1].action),
        ];
        seen.extend(found.into_iter().filter(|(_, found)| *found).map(|(name, _)| name));
    }
    assert_eq!(seen.len(), 13, "{seen:?}");
}

#[test]
fn mutated_stories_are_mostly_not_void() {
    let (mut generator, mut story) = (Generator::new(1), Story::default());
    let (mut events, mut void) = (0, 0);
    for seed in 0..2000 {
        generator.next(&mut story);
        let after = Story::decode(&mutated(&story.encode(), MAX_BYTES, seed)).unwrap();
        events += after.events.len();
        void += after.resolve().void;
    }
    assert!(void * 100 < events * 30, "{void} of {events}");
}

#[test]
fn a_story_without_events_grows() {
    let grown = (0..50).filter(|seed| mutated(&[], 64, *seed).len() >= HEADER + STRIDE).count();
    assert!(grown > 40, "{grown}");
}
