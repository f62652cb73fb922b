//! The pipeline from nothing to a witness: known bugs are found by random search, told apart by their headlines, and
//! minimized to no more events than the witness that was written by hand: the bug's own, or that of another effect.

use harness::catalogue::{BUGS, Bug, Selection, named};
use harness::checks::Checks;
use harness::minimize::minimize;
use harness::runner::Runner;
use harness::search::{Found, Search};
use harness::story::{BACKENDS, Backends, Story, Under};
use machine::Pause;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn runner(bug: &Bug) -> Runner {
    let under = Under { bug: Some(bug.name.to_owned()), designs: Vec::new() };
    Runner::new(Selection::all(&under).expect("a known bug")[0].setup(), Checks::default())
}

/// The first finding of a search.
fn first(runner: &mut Runner, seed: u64, backends: Backends, most: u64) -> Option<Found> {
    let mut search = Search::new(seed, backends);
    search.run(runner, |step| step.new.is_none() && step.played < most);
    search.found().next().cloned()
}

/// The first finding of each headline, until one does what the bug's witness does.
fn until_as_in_the_witness(runner: &mut Runner, bug: &Bug, most: u64) -> Vec<Found> {
    let (mut search, mut found) = (Search::new(1, Backends::all()), Vec::new());
    search.run(runner, |step| {
        let seen = step.new.is_some_and(|found| found.finding.headline.breach() == bug.finds);
        found.extend(step.new.cloned());
        !seen && step.played < most
    });
    found
}

/// What does not hold for a bug.
fn complaints(bug: &Bug) -> Vec<String> {
    let mut runner = runner(bug);
    let found = until_as_in_the_witness(&mut runner, bug, 400_000);
    if found.iter().all(|found| found.finding.headline.breach() != bug.finds) {
        return vec![format!("{} is not found", bug.name)];
    }
    let mut broken = Vec::new();
    for found in found {
        let small =
            minimize(&mut runner, &found.story, Backends::all(), &mut |_| true).expect("it was found");
        let breach = small.finding.headline.breach();
        if small.finding.headline != found.finding.headline {
            broken.push(format!("{}: it was {}", small.finding, found.finding));
        }
        let on = BACKENDS.iter().find(|(_, name)| *name == small.finding.headline.backend);
        if small.story.events.len() > bug.longest(&breach, on.expect("a backend").0) {
            broken.push(format!("{}: {}\n{}", bug.name, small.finding, small.story));
        }
        let mut pauses = small.story.events.iter().filter_map(|event| event.pause);
        if pauses.any(|pause| matches!(pause, Pause::At(_))) {
            broken.push(format!("{}: paused by number\n{}", bug.name, small.story));
        }
        if breach == bug.finds {
            let again = minimize(&mut runner, &small.story, Backends::all(), &mut |_| true);
            if again.expect("it was found").story != small.story {
                broken.push(format!("{}: not a fixpoint\n{}", bug.name, small.story));
            }
        }
    }
    broken
}

/// On as many threads as there are.
#[test]
fn every_bug_is_found_and_minimized_to_no_more_than_its_witness() {
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(bug) = BUGS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let said = complaints(bug);
                    broken.lock().expect("nobody panicked").extend(said);
                }
            });
        }
    });
    let broken = broken.into_inner().expect("nobody panicked");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// For twice as many stories as it takes to be seen where it shows: fewer would say nothing.
#[test]
fn a_bug_that_shows_on_one_backend_only_is_silent_on_the_others() {
    for bug in BUGS.iter().filter(|bug| bug.shows_on != Backends::all()) {
        let mut runner = runner(bug);
        let seen = first(&mut runner, 1, bug.shows_on, 400_000);
        let seen = seen.unwrap_or_else(|| panic!("{} is not seen where it shows", bug.name));
        let blind = Backends::all().difference(bug.shows_on);
        let found = first(&mut runner, 1, blind, 2 * (seen.number + 1));
        assert!(found.is_none(), "{}: {:?}", bug.name, found.map(|found| found.finding));
    }
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
    assert!(small.story.events.len() <= bug.length, "{}", small.story);
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
    assert!(small.story.events.len() <= bug.length, "{}", small.story);
}
