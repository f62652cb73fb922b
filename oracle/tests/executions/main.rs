//! Random executions of a trivially correct kernel: the reference never objects to the truth, and always to a lie.
#![cfg(feature = "reference")]

mod script;
mod toy;
mod user;
use oracle::vocabulary::{Call, Coherent, Operation, Outcome, PageSlot, ROWS, Range, SLOTS, Token};
use oracle::{Kind, Reference};
use proptest::collection::vec;
use proptest::prelude::*;

use script::{Step, resolve};
use toy::{Choices, Toy};

fn records() -> impl Strategy<Value = Vec<(u8, u8, u8, u8)>> {
    vec(any::<(u8, u8, u8, u8)>(), 1..80)
}

fn truth(_: &Reference, _: usize, _: &Call, outcome: Outcome) -> Outcome {
    outcome
}

/// An answer that cannot be right, and what is wrong with it.
fn lie(reference: &Reference, call: &Call, truth: Outcome, which: u8) -> (Outcome, Kind) {
    let must_sleep = call.operation == Operation::DrainAliases {} && truth == Outcome::WouldSleep;
    let may_sleep = call.irqs_off && call.operation != Operation::DrainAliases {};
    match (which % 5, call.operation) {
        // A guest gone astray may be refused.
        (0, _) if !is_astray(&call.operation) => (Outcome::Refused, Kind::Refused),
        _ if truth == Outcome::Void => (Outcome::Done, Kind::Phantom),
        (1, _) => (Outcome::Void, Kind::NotAttempted),
        _ if must_sleep => (Outcome::Done, Kind::WaitedWithIrqsOff),
        (2, _) if !may_sleep => (Outcome::WouldSleep, Kind::WouldSleep),
        (3, Operation::Read { .. } | Operation::ReadDirect { .. }) => (Outcome::Fault, Kind::Faulted),
        // What an area of its own allows depends on what overlaps.
        (3, Operation::Write { place, .. })
            if reference
                .live_mappings()
                .any(|live| live.mapping == place.mapping && !live.pages.is_empty()) =>
        {
            (Outcome::Fault, Kind::Faulted)
        }
        (_, Operation::Read { .. } | Operation::DeviceRead { .. } | Operation::ReadDirect { .. }) => {
            (Outcome::Value(Token(9_999)), Kind::NeverPossible)
        }
        (_, operation) if is_of_user_memory(&operation) => {
            (Outcome::Mapped(Range { start: 0, pages: 1 }), Kind::WrongForm)
        }
        (
            _,
            Operation::Vmap { pages, .. }
            | Operation::MapRam { pages, .. }
            | Operation::DmaAlloc { pages, .. }
            | Operation::DmaAllocWide { pages, .. },
        ) => {
            let pages = pages.len() as u8;
            let (range, kind) = match reference.live_mappings().next() {
                _ if which % 5 == 3 => (Range { start: 4096, pages: pages + 1 }, Kind::WrongLength),
                Some(live) => (Range { start: live.range.start, pages }, Kind::Overlap),
                None => (Range { start: 4097, pages }, Kind::Misplaced),
            };
            let buffer = Outcome::Buffer(Coherent { range, segments: Default::default() });
            let is_buffer =
                matches!(call.operation, Operation::DmaAlloc { .. } | Operation::DmaAllocWide { .. });
            (if is_buffer { buffer } else { Outcome::Mapped(range) }, kind)
        }
        _ => (Outcome::Value(Token::ZERO), Kind::WrongForm),
    }
}

/// Whether it is a hypercall behind the kernel's back: it names pages that were given up, or the hypervisor alone.
fn is_astray(operation: &Operation) -> bool {
    operation.name().starts_with("hv-")
}

/// Whether its answers are tampered with elsewhere.
fn is_of_user_memory(operation: &Operation) -> bool {
    is_of_user_memory_tag(operation.row().tag)
}

fn is_of_user_memory_tag(tag: u8) -> bool {
    matches!(tag, 47..=63)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reference_never_objects_to_a_correct_kernel(records in records(), seed in any::<u64>()) {
        let toy = Toy::play(&resolve(&records), seed, &mut truth);
        for said in &toy.said {
            prop_assert!(said.verdict.is_ok(), "{:?}", said);
        }
        let live = toy.reference.live_mappings().map(|live| script::index(live.mapping));
        prop_assert_eq!(live.collect::<Vec<_>>(), toy.mapped());
    }

    #[test]
    fn the_reference_always_objects_to_a_lie(
        records in records(), seed in any::<u64>(), at in any::<prop::sample::Index>(), which in any::<u8>()
    ) {
        let script = resolve(&records);
        let count = Toy::play(&script, seed, &mut truth).said.len();
        prop_assume!(count > 0);
        let (at, mut expected) = (at.index(count), None);
        let toy = Toy::play(&script, seed, &mut |reference: &Reference, n, call: &Call, outcome| {
            if n != at {
                return outcome;
            }
            let (answer, kind) = lie(reference, call, outcome, which);
            expected = Some(kind);
            answer
        });
        for said in &toy.said[..at] {
            prop_assert!(said.verdict.is_ok(), "{:?}", said);
        }
        prop_assert_eq!(toy.said[at].verdict.as_ref().map_err(|illegal| illegal.kind), Err(expected.unwrap()));
    }

    #[test]
    fn correct_backends_agree_whatever_their_races_and_failures(
        records in records(), seeds in any::<(u64, u64)>()
    ) {
        let script = resolve(&records);
        let (one, other) = (Toy::play(&script, seeds.0, &mut truth), Toy::play(&script, seeds.1, &mut truth));
        for mine in &one.said {
            let yours = other.said.iter().find(|yours| yours.step == mine.step).unwrap();
            let (mine, yours) = (mine.verdict.as_ref().unwrap(), yours.verdict.as_ref().unwrap());
            prop_assert!(mine.agrees_with(yours), "{:?} {:?}", mine, yours);
        }
        for page in (0..SLOTS).map(PageSlot::new) {
            if let (Some(mine), Some(yours)) = (one.reference.forced(page), other.reference.forced(page)) {
                prop_assert_eq!(mine, yours, "{}", page);
                prop_assert_eq!(one.word(page), other.word(page), "{}", page);
            }
        }
    }

    #[test]
    fn without_overlap_only_the_truth_is_legal(records in records(), seed in any::<u64>(), wrong in 0_u32..40) {
        let mut script = resolve(&records);
        let mut failed_table = false;
        for step in &mut script {
            if let Step::Begin { paused, .. } = step {
                *paused = false;
            }
        }
        let mut lied = false;
        let toy = Toy::play(&script, seed, &mut |_: &Reference, _, call: &Call, outcome| {
            let makes_tables =
                matches!(call.operation, Operation::MakeTable { .. } | Operation::PinTree { .. });
            failed_table |= makes_tables && outcome != Outcome::Done;
            match outcome {
                // What a table that was not made left behind is either of two words.
                Outcome::Value(found)
                    if !lied && !failed_table && !is_of_user_memory(&call.operation) && found != Token(wrong) =>
                {
                    lied = true;
                    Outcome::Value(Token(wrong))
                }
                _ => outcome,
            }
        });
        let kind = toy.said.last().and_then(|said| said.verdict.as_ref().err()).map(|illegal| illegal.kind);
        prop_assert_eq!(kind, if lied { Some(Kind::NeverPossible) } else { None });
    }
}

#[test]
fn random_executions_are_not_vacuous() {
    let mut choices = Choices(1);
    let (mut took_effect, mut void, mut overlapped, mut compared, mut wide) = ([0; ROWS.len()], 0, 0, 0, 0);
    for seed in 0..2_000 {
        let mut byte = || choices.below(256) as u8;
        let records: Vec<_> = (0..60).map(|_| (byte(), byte(), byte(), byte())).collect();
        let script = resolve(&records);
        let one = Toy::play(&script, 2 * seed + 1, &mut truth);
        let other = Toy::play(&script, 2 * seed + 9_001, &mut truth);
        for said in &one.said {
            let verdict = said.verdict.as_ref().unwrap();
            match verdict.outcome {
                Outcome::Void => void += 1,
                _ => took_effect[said.call.operation.index()] += 1,
            }
            let yours = other.said.iter().find(|yours| yours.step == said.step).unwrap();
            let is_read = matches!(said.call.operation, Operation::Read { .. });
            compared += usize::from(is_read && verdict.sole && yours.verdict.as_ref().unwrap().sole);
            overlapped += usize::from(is_read && !verdict.sole);
        }
        wide += one.wide;
    }
    for (row, count) in ROWS.iter().zip(took_effect) {
        // Pins come late, and other tests tell more of user memory.
        let least = if is_of_user_memory_tag(row.tag) { 50 } else { 100 };
        assert!(count > least, "{} took effect {count} times", row.word);
    }
    let told = took_effect.iter().sum::<usize>() + void;
    assert!(void > 100 && void < told / 3, "{void} of {told}");
    assert!(overlapped > 500 && compared > 100 && wide > 2_000, "{overlapped} {compared} {wide}");
}
