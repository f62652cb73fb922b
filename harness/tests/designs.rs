//! Designs that a story chooses itself: they are what the kernels are built by, they yield to what is asked for by name,
//! and correct combinations raise no alarm while every broken one has its witness.

use harness::catalogue::{Selection, named};
use harness::checks::Checks;
use harness::combinations;
use harness::runner::Runner;
use harness::story::{Backends, Generator, Story, Under};

fn runner(bug: Option<&str>, designs: &[(&str, &str)]) -> Runner {
    let named = |(point, variant): &(&str, &str)| ((*point).to_owned(), (*variant).to_owned());
    let under = Under { bug: bug.map(str::to_owned), designs: designs.iter().map(named).collect() };
    Runner::new(Selection::all(&under).expect("known names")[0].setup(), Checks::default())
}

/// A lazy alias whose entry is still there when its page becomes a table: the hypervisor tells by which designs.
const LAZY: &str = "story 1
cpus 2, hardware calm, sizes tiny, backends xen, designs pte_clear=at-purge
c0  vmap p0+1 -> a0
c0  vunmap a0
c0  make-table p0
";

#[test]
fn a_story_is_played_with_the_designs_that_it_chooses() {
    let story: Story = LAZY.parse().expect("a story");
    let finding = runner(None, &[("table_drain", "never")]).play(&story, Backends::all());
    let headline = finding.expect("entries that are cleared late pin the page").headline.to_string();
    assert!(headline.contains("rule 7 (hypervisor): make-table"), "{headline}");
    let mut early = story.clone();
    early.header.designs = impls::Designs::default();
    assert_eq!(runner(None, &[("table_drain", "never")]).play(&early, Backends::all()), None);
}

#[test]
fn what_is_asked_for_by_name_comes_before_what_a_story_chooses() {
    let story: Story = LAZY.parse().expect("a story");
    let asked = [("table_drain", "never"), ("pte_clear", "at-vunmap")];
    assert_eq!(runner(None, &asked).play(&story, Backends::all()), None);
    let mut of_bug = story.clone();
    of_bug.header.designs = impls::Designs::default();
    let finding = runner(Some("lazy-alias-pins.a"), &[]).play(&of_bug, Backends::all());
    assert!(finding.is_some(), "the designs of a bug need not be chosen by the story");
}

#[test]
fn a_story_leaves_the_designs_of_the_next_alone() {
    let story: Story = LAZY.parse().expect("a story");
    let mut plain = story.clone();
    plain.header.designs = impls::Designs::default();
    let mut runner = runner(None, &[("table_drain", "never")]);
    assert!(runner.play(&story, Backends::all()).is_some());
    assert_eq!(runner.play(&plain, Backends::all()), None);
}

#[test]
fn correct_combinations_raise_no_alarm() {
    let mut runner = runner(None, &[]);
    let (mut generator, mut story) = (Generator::new(3).with_any_designs(), Story::default());
    for _ in 0..3_000 {
        generator.next(&mut story);
        let finding = runner.play(&story, Backends::all());
        assert_eq!(finding, None, "{story}");
    }
    assert!(runner.coverage().combinations() >= 20);
}

#[test]
fn every_broken_combination_is_broken_by_its_own_designs_alone() {
    assert!(combinations::broken().count() >= 6);
    for bug in combinations::broken() {
        let file = format!("{}/../corpus/witnesses/{}.story", env!("CARGO_MANIFEST_DIR"), bug.name);
        let witness = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let story: Story = witness.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(runner(None, bug.designs).play(&story, bug.shows_on).is_some(), "{}", bug.name);
        assert_eq!(runner(None, &[]).play(&story, Backends::all()), None, "{}", bug.name);
        assert_eq!(named(bug.name).expect("a row of its own").len(), 1);
    }
}
