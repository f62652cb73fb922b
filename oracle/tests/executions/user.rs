//! Random executions of correct user memory: the reference never objects to the truth, correct backends agree, and a lie is noticed
//! where nothing overlaps it.
use oracle::Kind;
use oracle::vocabulary::{Call, MAX_PAGES, Operation, Outcome, Pinned, Token};

use crate::script::{Step, resolve_user};
use crate::toy::{Choices, Toy};
use crate::truth;

/// How many scripts each test plays; `ORACLE_SCRIPTS` asks for more.
fn scripts() -> u64 {
    std::env::var("ORACLE_SCRIPTS").map_or(10_000, |count| count.parse().expect("a number"))
}

fn script(seed: u64) -> Vec<Step> {
    let mut choices = Choices(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let length = 10 + choices.below(90);
    // In some scripts nothing is paused, in others most is.
    let calm = choices.below(3);
    let mut byte = || choices.below(256) as u8;
    // An address space, an object of two pages and some mappings come first.
    let first =
        [(0, 0, 0, 0), (1, 2, 0, 1 << 3), (2, 4, 0, (seed as u8) << 3), (3, 4, 0, ((seed >> 5) as u8) << 3)];
    let more = (0..length).map(|_| {
        let (cpu, kind, operand, flags) = (byte(), byte(), byte(), byte());
        let paused = if u64::from(cpu >> 2) % 3 < calm { !0 } else { !1 };
        (cpu, kind, operand, flags & paused)
    });
    let records: Vec<_> = first.into_iter().chain(more).collect();
    resolve_user(&records)
}

fn shown(script: &[Step], toy: &Toy) -> String {
    let lines = script.iter().enumerate().map(|(n, step)| {
        let said = toy.said.iter().find(|said| said.step == n);
        let answer = said.map(|said| format!(" {:?}", said.verdict)).unwrap_or_default();
        match step {
            Step::Begin { cpu, call, paused } => format!("{n} c{cpu} {call} paused={paused}{answer}\n"),
            Step::Continue { cpu } => format!("{n} c{cpu} continues\n"),
        }
    });
    lines.collect()
}

#[test]
fn the_reference_never_objects_to_correct_user_memory_and_correct_backends_agree() {
    let (mut sole, mut stale, mut values) = (0, 0, 0);
    for seed in 0..scripts() {
        let script = script(seed);
        let (one, other) =
            (Toy::play(&script, 2 * seed + 1, &mut truth), Toy::play(&script, !seed, &mut truth));
        for toy in [&one, &other] {
            if let Some(illegal) = toy.said.iter().find_map(|said| said.verdict.as_ref().err()) {
                panic!("{illegal}\n{}", shown(&script, toy));
            }
            stale += toy.user.stale;
        }
        for mine in &one.said {
            let yours = other.said.iter().find(|yours| yours.step == mine.step).unwrap();
            let (mine, yours) = (mine.verdict.as_ref().unwrap(), yours.verdict.as_ref().unwrap());
            assert!(
                mine.agrees_with(yours),
                "{mine:?} {yours:?}\n{}\n{}",
                shown(&script, &one),
                shown(&script, &other)
            );
            values += usize::from(matches!(mine.outcome, Outcome::Value(_)));
            sole += usize::from(mine.sole && yours.sole && matches!(mine.outcome, Outcome::Value(_)));
        }
    }
    println!("of {values} values {sole} are compared; {stale} accesses were by old translations");
    assert!(stale > scripts() as usize / 200 && sole > scripts() as usize / 10, "{values} {sole} {stale}");
}

/// An answer that no correct kernel gives while nothing overlaps and nothing failed, and what is wrong with it. Of the values that
/// are not the truth it tells one that was stored before.
fn lie(call: &Call, truth: Outcome, which: u32) -> Option<(Outcome, Kind)> {
    let pinned = |count| Outcome::Pinned(Pinned { count, frames: [0; MAX_PAGES] });
    Some(match (call.operation, truth) {
        (Operation::Load { .. } | Operation::PinRead { .. }, Outcome::Value(_))
            if which.is_multiple_of(8) =>
        {
            (Outcome::Fault, Kind::Faulted)
        }
        (Operation::Store { .. } | Operation::PinWrite { .. }, Outcome::Done) => {
            (Outcome::Fault, Kind::Faulted)
        }
        (Operation::Load { .. }, Outcome::Value(found)) if found != Token(which) => {
            (Outcome::Value(Token(which)), Kind::NeverPossible)
        }
        (Operation::PinRead { .. }, Outcome::Value(found)) if found != Token(which) => {
            (Outcome::Value(Token(which)), Kind::PinStrayed)
        }
        (Operation::Load { .. }, Outcome::Fault) => (Outcome::Value(Token(which)), Kind::NotMapped),
        (Operation::Store { .. }, Outcome::Fault) => (Outcome::Done, Kind::NotMapped),
        (Operation::PinRead { .. }, Outcome::Fault) => (Outcome::Value(Token(which)), Kind::Phantom),
        (Operation::GupFast { at, .. }, Outcome::Pinned(_)) if which.is_multiple_of(2) => {
            (pinned(at.count + 1), Kind::WrongLength)
        }
        (Operation::GupFast { .. }, Outcome::Pinned(Pinned { count: 0, .. })) => {
            (pinned(1), Kind::PinnedUnmapped)
        }
        _ => return None,
    })
}

#[test]
fn without_overlap_and_failure_only_the_truth_is_legal() {
    let mut kinds = std::collections::BTreeMap::new();
    for seed in 0..scripts() {
        let mut script = script(seed);
        for step in &mut script {
            if let Step::Begin { paused, .. } = step {
                *paused = false;
            }
        }
        let mut choices = Choices(seed | 1);
        let at = choices.below(40) as usize;
        let (mut expected, mut uncertain) = (None, false);
        let toy = Toy::play(&script, seed + 7, &mut |_, n, call: &Call, outcome| {
            uncertain |= match (call.operation, outcome) {
                (_, Outcome::NoMemory | Outcome::Void) => true,
                // Where a kernel stopped early it may have mapped the page, or not.
                (Operation::GupFast { at, .. }, Outcome::Pinned(pinned)) => {
                    pinned.count < at.count && !(pinned.count == 0 && at.count == 1)
                }
                _ => false,
            };
            if expected.is_some() || n < at || uncertain {
                return outcome;
            }
            match lie(call, outcome, choices.below(40) as u32) {
                Some((answer, kind)) => {
                    expected = Some((n, kind));
                    answer
                }
                None => outcome,
            }
        });
        // A page may have been mapped where a kernel that pinned none at all says that it pinned one.
        let said =
            expected.map(|(n, kind)| (kind, toy.said[n].verdict.as_ref().map_err(|illegal| illegal.kind)));
        match said {
            Some((Kind::PinnedUnmapped, Ok(_))) | None => {}
            Some((kind, said)) => {
                assert_eq!(said, Err(kind), "{}", shown(&script, &toy));
                *kinds.entry(kind).or_insert(0) += 1;
            }
        }
    }
    println!("{kinds:?}");
    assert!(kinds.len() == 7 && kinds.values().all(|count| *count > 10), "{kinds:?}");
}

#[test]
fn a_word_that_was_never_written_is_noticed_whatever_overlaps() {
    let mut noticed = 0;
    for seed in 0..scripts() / 4 {
        let script = script(seed);
        let at = Choices(seed | 1).below(30) as usize;
        let mut lied = None;
        let toy = Toy::play(&script, seed + 3, &mut |_, n, _, outcome| match outcome {
            Outcome::Value(_) if lied.is_none() && n >= at => {
                lied = Some(n);
                Outcome::Value(Token(9_999))
            }
            _ => outcome,
        });
        if let Some(n) = lied {
            let kind = toy.said[n].verdict.as_ref().map_err(|illegal| illegal.kind);
            assert!(matches!(kind, Err(Kind::NeverPossible | Kind::PinStrayed)), "{kind:?}");
            noticed += 1;
        }
    }
    assert!(noticed > scripts() / 20, "{noticed}");
}
