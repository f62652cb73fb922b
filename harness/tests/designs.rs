//! Designs that a story chooses itself: they are what the kernels are built by, they yield to what is asked for by name,
//! and correct combinations raise no alarm while every broken one has its witness.

use harness::catalogue::{Bug, Selection, named};
use harness::checks::Checks;
use harness::combinations;
use harness::minimize::minimize;
use harness::runner::Runner;
use harness::story::{Backends, Generator, Story, Under};
use impls::Designs;

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

/// The large page of a0 is a1's when c1 goes on, and c0 is about to change it.
#[test]
fn a_large_page_that_is_given_back_and_taken_again_is_not_judged_by_the_area_of_before() {
    let story: Story = "story 1\n\
        cpus 2, hardware eager-walkers, sizes tiny, backends native, designs unmap_flush=eager\n\
        c0  vmalloc-huge +2 -> a0\n\
        c1  vfree a0                pause before store large_zone_lock\n\
        c0  vmalloc-huge +1 -> a1\n\
        c0  set-memory-rox a1\n"
        .parse()
        .expect("a story");
    assert_eq!(runner(None, &[]).play(&story, Backends::all()), None);
}

#[test]
fn a_story_is_played_with_the_designs_that_it_chooses() {
    let story: Story = LAZY.parse().expect("a story");
    let finding = runner(None, &[("table_drain", "never")]).play(&story, Backends::all());
    let headline = finding.expect("entries that are cleared late pin the page").headline.to_string();
    assert!(headline.contains("rule 7 (hypervisor): make-table"), "{headline}");
    let mut early = story.clone();
    early.header.designs = Designs::default();
    assert_eq!(runner(None, &[("table_drain", "never")]).play(&early, Backends::all()), None);
}

#[test]
fn what_is_asked_for_by_name_comes_before_what_a_story_chooses() {
    let story: Story = LAZY.parse().expect("a story");
    let asked = [("table_drain", "never"), ("pte_clear", "at-vunmap")];
    assert_eq!(runner(None, &asked).play(&story, Backends::all()), None);
    let mut of_bug = story.clone();
    of_bug.header.designs = Designs::default();
    let finding = runner(Some("lazy-alias-pins.a"), &[]).play(&of_bug, Backends::all());
    assert!(finding.is_some(), "the designs of a bug need not be chosen by the story");
}

/// The designs that are left of a finding: those of the story, and those that were asked for.
fn minimized(mut runner: Runner, text: &str) -> (Vec<String>, Vec<String>) {
    let story: Story = text.parse().expect("a story");
    let before = runner.play(&story, Backends::all()).expect("a finding").headline;
    let small = minimize(&mut runner, &story, Backends::all(), &mut |_| true).expect("a finding");
    assert_eq!(small.finding.headline, before);
    assert_eq!(small.story.to_string().parse(), Ok(small.story.clone()), "a file can hold it");
    let of_story = small.story.header.designs.changed().map(|(point, variant)| format!("{point}={variant}"));
    let asked_for = small.asked_for.iter().map(|(point, variant)| format!("{point}={variant}"));
    (of_story.collect(), asked_for.collect())
}

const MANY: &str = "pte_clear=at-purge drain=tables-only kernel_flush=hypercall dma_drain=flush kernel_tables=kept \
    huge_over_table=small-pages page_flags=plain";

#[test]
fn a_finding_that_no_design_has_to_do_with_blames_none() {
    let canary = "story 1\ncpus 2, hardware calm, sizes tiny, backends native xen";
    let story = format!("{canary}, designs {MANY}\nc0  free-page p0\n");
    let asked = [("table_drain", "high-only"), ("unmap_flush", "eager")];
    assert_eq!(minimized(runner(Some("canary"), &asked), &story), (vec![], vec![]));
}

#[test]
fn a_finding_blames_the_designs_that_it_needs() {
    let asked = [("table_drain", "never"), ("kernel_tables", "kept"), ("dma_drain", "flush")];
    let (of_story, asked_for) = (vec!["pte_clear=at-purge".to_owned()], vec!["table_drain=never".to_owned()]);
    let story = LAZY.replace("pte_clear=at-purge", MANY);
    assert_eq!(minimized(runner(None, &asked), &story), (of_story, asked_for));
}

#[test]
fn a_story_leaves_the_designs_of_the_next_alone() {
    let story: Story = LAZY.parse().expect("a story");
    let mut plain = story.clone();
    plain.header.designs = Designs::default();
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

fn witness(bug: &Bug) -> Story {
    let file = format!("{}/../corpus/witnesses/{}.story", env!("CARGO_MANIFEST_DIR"), bug.name);
    let witness = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut witness: Story = witness.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
    witness.header.backends = Backends::all();
    witness
}

/// Whatever else is chosen: that is what the rows say, and nothing less may be left out of the search for alarms.
fn each_broken_combination_has_a_witness(on: Backends, all: impl IntoIterator<Item = Designs>, least: usize) {
    let rows: Vec<_> = combinations::broken().map(|bug| (bug, witness(bug))).collect();
    let (mut runner, mut broken) = (runner(None, &[]), 0);
    for designs in all {
        let mut why =
            rows.iter().filter(|(bug, _)| combinations::broken_by(designs, bug).contains(on)).peekable();
        if why.peek().is_none() {
            continue;
        }
        broken += 1;
        let shows = why.any(|(_, story)| {
            let mut story = story.clone();
            story.header.designs = designs;
            runner.play(&story, on).is_some()
        });
        assert!(shows, "no row's witness shows on {on:?} what is wrong with {designs:?}");
    }
    assert!(broken > least, "{broken}");
}

/// The combinations about user memory: in all else these kernels are native's.
fn of_user_half() -> impl Iterator<Item = Designs> {
    let user = combinations::all().into_iter();
    user.filter(|designs| {
        let points = |name| Designs::POINTS.iter().find(|point| point.name == name).expect("a point");
        designs.changed().all(|(point, _)| combinations::is_of_user_half(points(point)))
    })
}

#[test]
fn each_broken_combination_has_a_witness_on_native() {
    each_broken_combination_has_a_witness(Backends::NATIVE, combinations::all(), 10_000);
}

#[test]
fn each_broken_combination_has_a_witness_on_xen() {
    each_broken_combination_has_a_witness(Backends::XEN, combinations::all(), 10_000);
}

#[test]
fn each_broken_combination_of_user_memory_has_a_witness_on_kvm_and_hyper_v() {
    for backend in [Backends::KVM, Backends::HYPERV] {
        each_broken_combination_has_a_witness(backend, of_user_half(), 500);
    }
}

/// What a row excepts is held to be correct, and by no other row's word broken: its own witness says nothing there.
#[test]
fn what_a_row_excepts_is_clean_under_its_witness() {
    let mut excepted = 0;
    for bug in combinations::broken() {
        let story = witness(bug);
        for (point, variant, correct) in bug.unless {
            let designs = [bug.designs, &[(*point, *variant)]].concat();
            for backend in bug.shows_on & *correct {
                let found = runner(None, &designs).play(&story, backend);
                assert_eq!(found, None, "{} with {point}={variant}", bug.name);
                excepted += 1;
            }
        }
    }
    assert!(excepted >= 10, "{excepted}");
}

#[test]
fn every_broken_combination_is_broken_by_its_own_designs_alone() {
    for bug in combinations::broken() {
        let story = witness(bug);
        assert!(runner(None, bug.designs).play(&story, bug.shows_on).is_some(), "{}", bug.name);
        assert_eq!(runner(None, &[]).play(&story, Backends::all()), None, "{}", bug.name);
        assert_eq!(named(bug.name).expect("a row of its own").len(), 1);
    }
}
