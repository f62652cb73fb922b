//! Minimizing what a stranger's kernel does. It can go wrong in ways in which ours never did: it spins for ever, or takes
//! long; it is broken by whatever designs a test says.

use harness::minimize::minimize;
use harness::story::{Backends, Story};
use harness::subject::Setup;
use impls::Designs;

use crate::{Drain, counting_runner, runner, story};

const STEPS: u32 = 100_000;

/// A story that drains, and more.
fn drains() -> Story {
    let more = "c0  alloc-page -> p4\nc0  alloc-page -> p5\nc0  alloc-page -> p6\nc0  alloc-page -> p7\n";
    story(&format!("{more}c1  drain-aliases\n{more}c0  drain-aliases\n{more}"))
}

#[test]
fn a_story_that_never_ends_is_minimized_without_playing_each_until_the_steps_are_used_up() {
    let (mut runner, passed) = counting_runner(Drain::SpinsForEver, STEPS);
    let small = minimize(&mut runner, &drains(), Backends::all(), &mut |_| true).expect("it never ends");
    let shortest = "story 1\ncpus 1, hardware calm, sizes tiny, backends native\nc0  drain-aliases\n";
    assert_eq!(small.story.to_string(), shortest);
    assert_eq!(runner.play(&small.story, Backends::all()), Some(small.finding));
    // Most of those that are played never end either.
    let (played, all) = (runner.coverage().stories, passed.get() / u64::from(STEPS));
    assert!(
        played > 1_000 && all < played / 10,
        "{played} stories passed the points of {all} that never end"
    );
}

#[test]
fn a_story_that_takes_long_is_not_taken_for_one_that_never_ends() {
    let (mut runner, _) = counting_runner(Drain::SpinsForEverAfterAnAllocation, STEPS);
    let small = minimize(&mut runner, &drains(), Backends::all(), &mut |_| true).expect("it never ends");
    assert_eq!(small.story.events.len(), 2, "{}", small.story);
    assert_eq!(runner.play(&small.story, Backends::all()), Some(small.finding));
}

/// What a finding is minimized to blame, by the kernel that has it: designs of the story, and designs that were asked for.
fn blamed(broken: fn(&Designs) -> bool, of_story: &str, asked_for: &str) -> (String, String) {
    let choices = |text: &str| -> Vec<(String, String)> {
        let choice = |word: &str| word.split_once('=').map(|(point, variant)| (point.into(), variant.into()));
        text.split_whitespace().filter_map(choice).collect()
    };
    let mut story = drains();
    for (point, variant) in choices(of_story) {
        story.header.designs.choose(&point, &variant).expect("a known variant");
    }
    let mut runner = runner(Drain::IsBrokenBy(broken));
    runner.change_setup(Setup::default().asking_for(choices(asked_for).into()));
    let small = minimize(&mut runner, &story, Backends::all(), &mut |_| true).expect("it is broken");
    let words = |choices: Vec<String>| choices.join(" ");
    let of_story = small.story.header.designs.changed().map(|(point, variant)| format!("{point}={variant}"));
    let asked_for = small.asked_for.iter().map(|(point, variant)| format!("{point}={variant}"));
    (words(of_story.collect()), words(asked_for.collect()))
}

fn chooses(designs: &Designs, point: &str, variant: &str) -> bool {
    designs.changed().any(|chosen| chosen == (point, variant))
}

#[test]
fn designs_that_a_finding_does_without_together_only_are_left_out_whoever_chose_them() {
    let broken = |designs: &Designs| {
        let together = chooses(designs, "kernel_tables", "kept") == chooses(designs, "page_flags", "plain");
        chooses(designs, "pte_clear", "at-purge") && together
    };
    let (needed, rest) = ("pte_clear=at-purge", "huge_over_table=small-pages page_flags=plain");
    let kept = "kernel_tables=kept";
    let none = String::new();
    assert_eq!(blamed(broken, &format!("{needed} {rest} {kept}"), ""), (needed.to_owned(), none.clone()));
    assert_eq!(blamed(broken, &format!("{needed} {rest}"), kept), (needed.to_owned(), none.clone()));
    assert_eq!(blamed(broken, kept, &format!("{needed} {rest}")), (none, needed.to_owned()));
}

/// What spares a broken design stays beside it: without it the finding would be put down to what is known to be broken.
#[test]
fn a_finding_of_correct_designs_is_not_put_down_to_broken_ones() {
    let broken = |designs: &Designs| chooses(designs, "irqs_off_drain", "shootdown");
    let spared = "drain=on-map-everywhere irqs_off_drain=shootdown";
    let none = String::new();
    assert_eq!(
        blamed(broken, &format!("{spared} kernel_tables=kept"), ""),
        (spared.to_owned(), none.clone())
    );
    assert_eq!(blamed(broken, "kernel_tables=kept", spared), (none.clone(), spared.to_owned()));
    let alone = "irqs_off_drain=shootdown";
    assert_eq!(blamed(broken, "", &format!("{alone} kernel_tables=kept")), (none, alone.to_owned()));
}
