//! The pipeline from nothing to a witness: known bugs are found by random search, told apart by their headlines, and
//! minimized to one event more at most than the witness that was written by hand.

use harness::catalogue::{BUGS, Bug, Selection, named};
use harness::checks::Checks;
use harness::minimize::minimize;
use harness::runner::Runner;
use harness::search::{Found, Search};
use harness::story::{Backends, Story, Under};
use machine::Pause;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn runner(bug: &Bug) -> Runner {
    let under = Under { bug: Some(bug.name.to_owned()), designs: Vec::new() };
    Runner::new(Selection::all(&under).expect("a known bug")[0].setup(), Checks::default())
}

/// How many events its witness has.
fn length(bug: &Bug) -> usize {
    bug.witness().story.events.len()
}

/// The first finding of a search.
fn first(runner: &mut Runner, seed: u64, backends: Backends, most: u64) -> Option<Found> {
    let mut search = Search::new(seed, backends);
    search.run(runner, |step| step.new.is_none() && step.played < most);
    search.found().next().cloned()
}

/// The first finding that does what the bug's witness does.
fn as_in_the_witness(runner: &mut Runner, bug: &Bug, most: u64) -> Option<Found> {
    let (mut search, mut found, finds) = (Search::new(1, Backends::all()), None, bug.finds());
    search.run(runner, |step| {
        let seen = step.new.filter(|found| found.finding.headline.breach() == finds);
        found = seen.cloned();
        found.is_none() && step.played < most
    });
    found
}

/// One bug in so many is minimized here, and all of them by `prove`: a minimal story takes the longest to make smaller in vain.
const MINIMIZED: usize = 16;

/// In so many stories most bugs are found that do what their witness does. Those that take longer are left to `prove`.
const MOST_STORIES: u64 = 4_000;

/// What does not hold for a bug.
fn complaints(number: usize, bug: &Bug) -> Vec<String> {
    let mut runner = runner(bug);
    match as_in_the_witness(&mut runner, bug, MOST_STORIES) {
        None => vec![format!("{NOT_FOUND}{}", bug.name)],
        Some(found) if number.is_multiple_of(MINIMIZED) => complaints_of_minimal(&mut runner, bug, &found),
        Some(_) => Vec::new(),
    }
}

/// What is said of a bug that takes longer.
const NOT_FOUND: &str = "not found: ";

fn complaints_of_minimal(runner: &mut Runner, bug: &Bug, found: &Found) -> Vec<String> {
    let mut broken = Vec::new();
    let small = minimize(runner, &found.story, Backends::all(), &mut |_| true).expect("it was found");
    if small.finding.headline != found.finding.headline {
        broken.push(format!("{}: it was {}", small.finding, found.finding));
    }
    if small.story.events.len() > length(bug) + 1 {
        broken.push(format!("{}: {}\n{}", bug.name, small.finding, small.story));
    }
    let mut pauses = small.story.events.iter().filter_map(|event| event.pause);
    if pauses.any(|pause| matches!(pause, Pause::At(_))) {
        broken.push(format!("{}: paused by number\n{}", bug.name, small.story));
    }
    let again = minimize(runner, &small.story, Backends::all(), &mut |_| true).expect("it was found");
    if again.story != small.story {
        broken.push(format!("{}: not a fixpoint\n{}", bug.name, small.story));
    }
    broken
}

/// Whether it is the first variant of its incident. The others are left to `prove`: they differ in what makes the same thing go wrong.
fn is_first_variant(bug: &Bug) -> bool {
    bug.name.rsplit_once('.').is_none_or(|(_, letter)| letter == "a")
}

/// Plays this for one variant of every bug, on as many threads as there are, and gathers what does not hold.
fn complaints_of_all(complaints: impl Fn(usize, &Bug) -> Vec<String> + Sync) -> Vec<String> {
    let bugs: Vec<_> = BUGS.iter().filter(|bug| is_first_variant(bug)).collect();
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(bug) = bugs.get(number) else { break };
                    let said = complaints(number, bug);
                    broken.lock().expect("no thread panicked").extend(said);
                }
            });
        }
    });
    broken.into_inner().expect("no thread panicked")
}

#[test]
fn most_bugs_are_found_soon_and_some_are_minimized_to_one_event_more_than_their_witness_at_most() {
    let (late, broken): (Vec<_>, Vec<_>) =
        complaints_of_all(complaints).into_iter().partition(|said| said.starts_with(NOT_FOUND));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let bugs = BUGS.iter().filter(|bug| is_first_variant(bug)).count();
    assert!(late.len() * 5 <= bugs * 2, "of {bugs} bugs: {late:?}");
}

/// For twice as many stories as it takes to be seen where it shows: fewer would say nothing. A bug that takes long to be seen is
/// left to `prove`.
#[test]
fn a_bug_that_shows_on_one_backend_only_is_silent_on_the_others() {
    const MOST: u64 = 4_000;
    let told = AtomicUsize::new(0);
    let broken = complaints_of_all(|_, bug| {
        let blind = Backends::all().difference(bug.shows_on);
        let mut runner = runner(bug);
        let Some(seen) = (!blind.is_empty()).then(|| first(&mut runner, 1, bug.shows_on, MOST)).flatten()
        else {
            return Vec::new();
        };
        told.fetch_add(1, Ordering::Relaxed);
        let found = first(&mut runner, 1, blind, 2 * (seen.number + 1));
        found.map(|found| format!("{}: {}", bug.name, found.finding)).into_iter().collect()
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let partly = |bug: &&Bug| bug.shows_on != Backends::all() && is_first_variant(bug);
    let bugs = BUGS.iter().filter(partly).count();
    let told = told.into_inner();
    assert!(told * 2 >= bugs, "{told} of {bugs} are seen within {MOST} stories");
}

#[test]
fn the_same_seed_finds_the_same() {
    let bug = BUGS.iter().find(|bug| bug.name == "vb-full-missed").expect("a known bug");
    let search = |runner: &mut Runner| {
        let mut search = Search::new(5, Backends::all());
        search.run(runner, |step| step.played < 3_000);
        search
            .found()
            .map(|found| (found.finding.clone(), found.story.clone(), found.times))
            .collect::<Vec<_>>()
    };
    let mut used = runner(bug);
    let once = search(&mut used);
    assert!(!once.is_empty());
    assert_eq!(search(&mut used), once, "what was played before must not matter");
    assert_eq!(search(&mut runner(bug)), once);
}

#[test]
fn minimizing_can_be_interrupted_and_keeps_what_it_has() {
    let bug = BUGS.iter().find(|bug| bug.name == "drain-irqs-off.a").expect("a known bug");
    let mut runner = runner(bug);
    let found = first(&mut runner, 3, Backends::all(), 100_000).expect("it is found");
    let mut reports = 0;
    let small = minimize(&mut runner, &found.story, Backends::all(), &mut |_| {
        reports += 1;
        reports < 2
    });
    let small = small.expect("it was found");
    assert!(small.interrupted);
    assert_eq!(runner.play(&small.story, Backends::all()), Some(small.finding));
}

/// What runs out of space purges by the way. A drain does so too, and needs no space to run out of.
#[test]
fn an_operation_that_purges_by_the_way_gives_way_to_a_plain_drain() {
    let bug = named("drain-skips-inflight-purge.a").expect("a known bug")[0];
    let story: Story = "story 1\n\
        cpus 2, hardware eager-walkers, sizes tiny, backends xen\n\
        c0  map-ram p0+3 -> r0\n\
        c0  unmap-ram r0\n\
        c0  map-ram p0+3 -> r0\n\
        c0  map-ram p0+1 -> r1\n\
        c1  map-ram p0+1 -> r2      pause before store block_lock\n\
        c0  drain-aliases\n"
        .parse()
        .expect("a story");
    let small = minimize(&mut runner(bug), &story, Backends::all(), &mut |_| true).expect("it is found");
    assert!(small.story.events.len() <= length(bug), "{}", small.story);
}

/// What runs out of space gives up blocks that were used in part. A drain does so with those that were used up.
#[test]
fn what_gives_up_half_used_blocks_gives_way_to_a_drain_of_whole_ones() {
    let bug = named("kernel-table-sync.d").expect("a known bug")[0];
    let story: Story = "story 1\n\
        cpus 2, hardware eager-walkers, sizes tiny, backends native\n\
        c0  vmap p0+4 -> a0\n\
        c1  map-ram p0+1 -> r0\n\
        c0  unmap-ram r0\n\
        c1  map-ram p0+1 -> r1\n\
        c0  map-ram p0+1 -> r0\n\
        c0  vmap p0+4 -> a1\n\
        c0  unmap-ram r0\n\
        c1  map-ram p0+1 -> r2\n\
        c0  vunmap a1\n\
        c0  new-mm -> m0\n\
        c1  switch-mm m0\n\
        c1  map-ram p0+2 -> r0\n\
        c1  fill r0+0\n"
        .parse()
        .expect("a story");
    let small = minimize(&mut runner(bug), &story, Backends::all(), &mut |_| true).expect("it is found");
    assert!(small.story.events.len() <= length(bug), "{}", small.story);
}
