//! Same bytes, same output: what happens in a story, down to each access of each CPU, depends on the story and the setup
//! alone, whatever was played before on the same runner. When this fails, state survives from story to story: no
//! witness can be trusted until it is found.

use harness::catalogue::{BUGS, Selection};
use harness::checks::Checks;
use harness::headline::Finding;
use harness::runner::{Recording, Runner};
use harness::story::{Backends, Generator, Story, Under};
use proptest::prelude::*;

fn runner(bug: Option<&str>) -> Runner {
    let under = Under { bug: bug.map(str::to_owned), designs: Vec::new() };
    Runner::new(Selection::all(&under).expect("a known bug")[0].setup(), Checks::default())
}

/// Everything that can be seen of a story.
fn seen(runner: &mut Runner, story: &Story) -> (Vec<Recording>, Option<Finding>) {
    runner.record(&story.resolve(), Backends::all())
}

fn generated(seed: u64, skip: u64) -> Story {
    let (mut generator, mut story) = (Generator::new(seed), Story::default());
    (0..=skip).for_each(|_| generator.next(&mut story));
    story
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_played_before_does_not_matter(
        seed in any::<u64>(), before in 0..60_u64, bug in proptest::option::of(0..BUGS.len())
    ) {
        let bug = bug.map(|index| BUGS[index].name);
        let story = generated(seed, 0);
        let fresh = seen(&mut runner(bug), &story);
        let mut used = runner(bug);
        let (mut generator, mut other) = (Generator::new(seed.wrapping_add(1)), Story::default());
        for _ in 0..before {
            generator.next(&mut other);
            used.play(&other, Backends::all());
        }
        prop_assert_eq!(format!("{:?}", seen(&mut used, &story)), format!("{fresh:?}"));
        prop_assert_eq!(used.play(&story, Backends::all()), fresh.1);
    }
}

#[test]
fn a_thousand_times_the_same_story_is_a_thousand_times_the_same() {
    let mut runner = runner(Some("vb-dirty-order"));
    let mut stories = (0..40).map(|skip| generated(9, skip));
    let story = stories.find(|story| story.events.len() > 12).expect("a long one");
    let first = format!("{:?}", seen(&mut runner, &story));
    for _ in 0..1000 {
        assert_eq!(format!("{:?}", seen(&mut runner, &story)), first);
    }
}

/// What a run leaves out is not left out of what it finds: with the eager checks alone and with the observational ones
/// alone, a story finds nothing that both do not find, and the kernels are clean under each.
#[test]
fn each_kind_of_check_is_silent_by_default_and_finds_bugs_on_its_own() {
    let found = |bug: Option<&str>, eager, observational| {
        let under = Under { bug: bug.map(str::to_owned), designs: Vec::new() };
        let setup = Selection::all(&under).expect("a known bug")[0].setup();
        let mut runner = Runner::new(setup, Checks { eager, observational });
        let (mut generator, mut story) = (Generator::new(4), Story::default());
        (0..3_000)
            .filter(|_| {
                generator.next(&mut story);
                runner.play(&story, Backends::all()).is_some()
            })
            .count()
    };
    for (eager, observational) in [(true, false), (false, true)] {
        assert_eq!(found(None, eager, observational), 0);
        assert!(found(Some("va-reuse-unflushed.a"), eager, observational) > 0, "eager: {eager}");
    }
}
