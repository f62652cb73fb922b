//! The generator: that it tells everything there is to tell, that little of it is void, and that it repeats itself
//! exactly.

use std::collections::{BTreeMap, BTreeSet};

use harness::combinations;
use harness::story::{Backends, Generator, ResolvedAction, Story, Tag, resolve};
use impls::Sizes;
use machine::{Pause, PointKind, Temperament};
use oracle::vocabulary::{Call, Mode, Operation, ROWS, Role, Row, Sort};

const STORIES: usize = 20_000;

/// Plays `see` for the stories of one seed.
fn each(seed: u64, mut see: impl FnMut(&Story)) {
    let (mut generator, mut story) = (Generator::new(seed), Story::default());
    for _ in 0..STORIES {
        generator.next(&mut story);
        see(&story);
    }
}

#[test]
fn few_events_are_void() {
    let (mut events, mut void, mut resolved) = (0, 0, resolve::Resolved::default());
    each(1, |story| {
        resolve::resolve_into(story, &mut resolved);
        events += resolved.events.len();
        void += resolved.void;
    });
    assert!(void * 10 < events, "{void} of {events}");
    assert!(void > 0, "void events are told too");
}

#[test]
fn every_event_and_every_form_of_pause_is_generated() {
    let mut tags = BTreeMap::<&str, usize>::new();
    let mut irqs_off = BTreeMap::<&str, usize>::new();
    let mut kinds = [0; PointKind::ALL.len()];
    let (mut by_number, mut far, mut events, mut paused) = (0, 0, 0, 0);
    each(2, |story| {
        for event in &story.events {
            *tags.entry(event.action.name()).or_default() += 1;
            if format!("{event}").contains("irqs-off") {
                *irqs_off.entry(event.action.name()).or_default() += 1;
            }
            events += usize::from(event.action.takes_pause());
            paused += usize::from(event.pause.is_some());
            match event.pause {
                Some(Pause::At(number)) => {
                    by_number += 1;
                    far += usize::from(number > 60);
                }
                Some(Pause::Before { point, .. }) => kinds[usize::from(point.kind.tag())] += 1,
                None => {}
            }
        }
    });
    for tag in Tag::ALL.iter().filter(|tag| tag.is_event()) {
        assert!(tags.get(tag.word()).is_some_and(|count| *count > 500), "{}: {tags:?}", tag.word());
    }
    assert_eq!(irqs_off.len(), 14, "{irqs_off:?}");
    assert!(irqs_off.values().all(|count| *count > 100), "{irqs_off:?}");
    assert!(kinds.iter().all(|count| *count > 10), "{kinds:?}");
    assert!(by_number > kinds.iter().sum::<usize>() * 2 && far > 500, "{by_number}, {far}, {kinds:?}");
    assert!((10..40).contains(&(paused * 100 / events)), "{paused} of {events} pause");
}

#[test]
fn every_header_is_generated() {
    let mut temperaments = [0; 16];
    let (mut cpus, mut sizes, mut on_all) = ([0; 5], [0; 3], 0);
    each(3, |story| {
        temperaments[usize::from(story.header.temperament.bits())] += 1;
        cpus[usize::from(story.header.cpus)] += 1;
        sizes[story.header.sizes as usize] += 1;
        let backends = story.header.backends;
        assert!(backends == Backends::all() || backends == Backends::NATIVE_AND_XEN);
        on_all += usize::from(backends == Backends::all());
        assert!((1..=64).contains(&story.events.len()), "{story}");
    });
    assert!(temperaments.iter().all(|count| *count > 100), "{temperaments:?}");
    // Those about user memory, and a few others.
    assert!((STORIES / 4..STORIES / 2).contains(&on_all), "{on_all}");
    assert!(cpus[1..].iter().all(|count| *count > 500) && cpus[2] > STORIES / 2, "{cpus:?}");
    assert!(sizes.iter().all(|count| *count > 20), "{sizes:?}");
    assert!(sizes[Sizes::Tiny as usize] > STORIES * 3 / 4, "{sizes:?}");
}

#[test]
fn the_backends_can_be_chosen() {
    let (mut generator, mut story) = (Generator::new(4).with_backends(Backends::XEN), Story::default());
    generator.next(&mut story);
    assert_eq!(story.header.backends, Backends::XEN);
}

/// That every combination is drawn is tested beside the dice.
#[test]
fn stories_choose_designs_of_every_kind_that_are_correct_together_where_they_are_played() {
    for backends in [Backends::NATIVE, Backends::all()] {
        let mut generator = Generator::new(11).with_backends(backends).with_any_designs();
        let (mut told, mut story) = (BTreeSet::new(), Story::default());
        for _ in 0..1_000 {
            generator.next(&mut story);
            assert!(combinations::flaw(story.header.designs, backends).is_none(), "{story}");
            told.insert(story.header.designs);
        }
        assert!(told.len() > 500, "{} on {backends:?}", told.len());
    }
}

#[test]
fn stories_are_what_the_bytes_can_hold() {
    each(5, |story| {
        let decoded = Story::decode(&story.encode()).unwrap();
        assert_eq!(&decoded, story);
    });
}

#[test]
fn one_seed_gives_the_same_stories_and_another_gives_others() {
    let stories = |seed: u64| {
        let (mut generator, mut story) = (Generator::new(seed), Story::default());
        let next = |_| {
            generator.next(&mut story);
            story.clone()
        };
        (0..200).map(next).collect::<Vec<_>>()
    };
    assert_eq!(stories(7), stories(7));
    assert_ne!(stories(7), stories(8));
}

/// Rare states that many defects need, counted as told.
#[test]
fn rare_states_are_told_often_enough() {
    let mut resolved = resolve::Resolved::default();
    let (mut overlaps, mut full, mut lazy) = (0, 0, 0);
    each(6, |story| {
        resolve::resolve_into(story, &mut resolved);
        // Something runs on a CPU while an operation is paused on another.
        let mut nest = [0; 4];
        let mut overlap = false;
        // Four pages are mapped through blocks on one CPU, in more than one mapping, and one of these goes.
        let (mut ram, mut mappings, mut block) = ([0; 4], [0; 4], false);
        for told in &resolved.events {
            let cpu = usize::from(told.cpu);
            if let ResolvedAction::Call(Call { operation, .. }) = told.action {
                overlap |= (0..4).any(|other| other != cpu && nest[other] > 0);
                match operation {
                    Operation::MapRam { ref pages, .. } => {
                        ram[cpu] += pages.len();
                        mappings[cpu] += 1;
                    }
                    Operation::UnmapRam { .. } => {
                        block |= (0..4).any(|cpu| ram[cpu] % 4 == 0 && ram[cpu] > 0 && mappings[cpu] > 1);
                    }
                    _ => {}
                }
            }
            nest[cpu] = told.nest;
        }
        overlaps += usize::from(overlap);
        full += usize::from(block);
        lazy += usize::from(story.header.temperament.contains(Temperament::LAZY_STORES));
    });
    assert!(overlaps > STORIES / 5, "{overlaps}");
    assert!(full > STORIES / 50, "{full}");
    assert!(lazy > STORIES / 5, "{lazy}");
}

/// The handles that an operation names, and the pages behind its mapping.
fn named(operation: &Operation, pages_of: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let text = operation.to_string();
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric()).skip(1);
    let is_handle = |word: &&str| {
        word.starts_with(['p', 'a', 'r', 'b', 'm', 'o', 'g'])
            && word.len() > 1
            && word[1..].bytes().all(|digit| digit.is_ascii_digit())
    };
    let named: BTreeSet<_> = words.filter(is_handle).map(str::to_owned).collect();
    let behind = named.iter().filter_map(|handle| pages_of.get(handle)).flatten().cloned().collect();
    named.union(&behind).cloned().collect()
}

/// Whether another operation can act on the same: what is being made or taken away is busy, but not the pages of an area or of a
/// small mapping. No operation on a CPU is beside one of a device.
fn can_be_met(row: &Row) -> bool {
    let mut names = row.operands.iter().filter_map(|names| Some((names.mode?, names.sorts)));
    !row.device
        && names.any(|(mode, sorts)| match mode {
            Mode::Uses(_) | Mode::Changes(_) | Mode::Maps | Mode::GivesUp => true,
            Mode::Ends(role) => role == Role::Plain && matches!(sorts, [Sort::Area | Sort::Ram]),
            Mode::New(_) | Mode::Becomes(..) | Mode::Lends | Mode::Sizes => false,
        })
}

/// While an operation is held up other CPUs act on what it acts on, in several roles, for each operation that leaves them anything to
/// act on; and far more often than by chance.
#[test]
fn what_is_held_up_is_met_by_others_that_act_on_the_same() {
    let mut met = BTreeMap::<String, BTreeSet<&str>>::new();
    let (mut on_the_same, mut all) = (0, 0);
    let mut resolved = resolve::Resolved::default();
    for seed in 20..22 {
        each(seed, |story| {
            resolve::resolve_into(story, &mut resolved);
            let mut pages_of = BTreeMap::new();
            let mut paused: [Option<(Operation, BTreeSet<String>)>; 4] = Default::default();
            for told in &resolved.events {
                let cpu = usize::from(told.cpu);
                let ResolvedAction::Call(Call { operation, .. }) = told.action else {
                    if told.nest == 0 {
                        paused[cpu] = None;
                    }
                    continue;
                };
                let names = named(&operation, &pages_of);
                for (other, held_up) in paused.iter().enumerate() {
                    if let Some((held_up, its)) = held_up
                        && other != cpu
                        && !its.is_empty()
                    {
                        all += 1;
                        if !its.is_disjoint(&names) {
                            on_the_same += 1;
                            met.entry(held_up.name().to_owned()).or_default().insert(operation.name());
                        }
                    }
                }
                if !operation.is_of_a_device() {
                    paused[cpu] = (told.nest > 0).then(|| (operation, names.clone()));
                }
                if let Some(mapping) = names.iter().find(|name| !name.starts_with(['p', 'm', 'o', 'g'])) {
                    let pages = names.iter().filter(|name| name.starts_with('p')).cloned().collect();
                    pages_of.insert(mapping.clone(), pages);
                }
            }
        });
    }
    for operation in ROWS.iter().filter(|row| can_be_met(row)).map(|row| row.word) {
        let by = met.get(operation).map_or(0, BTreeSet::len);
        let least = match operation {
            // No caller drops an address space that a CPU is on the way into.
            "switch-mm" => 1,
            // Pinned pages are read and written, and no caller lets go of them meanwhile. What else is done with the pages of an
            // object names address spaces.
            "pin-read" | "pin-write" | "reclaim" => 2,
            _ => 3,
        };
        assert!(by >= least, "{operation} is met by {:?}", met.get(operation));
    }
    assert!(on_the_same * 3 > all, "{on_the_same} of {all}");
}

/// User memory is what a part of the stories is about; and while something is done with a page there, other CPUs do something else
/// with the same page.
#[test]
fn user_memory_is_told_of_in_some_stories_and_then_at_length() {
    let mut resolved = resolve::Resolved::default();
    let (mut about, mut at_length, mut met, mut objects) = (0, 0, BTreeMap::<&str, usize>::new(), 0);
    let pages = |operation: &Operation| {
        let text = operation.to_string();
        let place = text.split(' ').nth(1).filter(|word| word.contains(':'))?;
        let mut numbers =
            place.split(['m', ':', '+']).skip(1).map(|number| number.parse::<u8>().expect("one"));
        let (mm, first) = (numbers.next()?, numbers.next()?);
        Some((mm, first..first + numbers.next().unwrap_or(1)))
    };
    each(9, |story| {
        resolve::resolve_into(story, &mut resolved);
        let mut paused: [Option<Operation>; 4] = [None; 4];
        let mut told_of = 0;
        for told in &resolved.events {
            let cpu = usize::from(told.cpu);
            if let ResolvedAction::Call(Call { operation, .. }) = told.action {
                objects +=
                    usize::from(matches!(operation, Operation::Mmap { what, .. } if what.object().is_some()));
                let here = pages(&operation);
                told_of += usize::from(here.is_some());
                for (_, held_up) in paused.iter().enumerate().filter(|(other, _)| *other != cpu) {
                    if let (Some(held_up), Some((mm, here))) = (held_up, &here)
                        && let Some((its, there)) = pages(held_up)
                        && its == *mm
                        && here.start < there.end
                        && there.start < here.end
                    {
                        *met.entry(held_up.name()).or_default() += 1;
                    }
                }
                paused[cpu] = (told.nest > 0).then_some(operation);
            } else if told.nest == 0 {
                paused[cpu] = None;
            }
        }
        about += usize::from(told_of > 0);
        at_length += usize::from(told_of * 3 > resolved.events.len());
    });
    assert!((STORIES / 5..STORIES / 3).contains(&about), "{about}");
    assert!(at_length * 2 > about, "{at_length} of {about}");
    assert!(objects > 500, "{objects}");
    assert!(met.len() == 13 && met.values().all(|count| *count > 60), "{met:?}");
}
