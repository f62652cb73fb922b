//! Stories: what the runner plays in a second, with the reference and all checks beside it.
//!
//! The stories are those of the random search, of all temperaments and sizes, cut or joined to one length. Every event
//! finds something to do. Playing one is all of it: binding its operands, booting each backend, the events, the checks,
//! the teardown.

use crate::table::{Bar, Table, best, nanoseconds, time};
use harness::checks::Checks;
use harness::runner::Runner;
use harness::story::{Backends, Generator, Story};
use harness::subject::Setup;
use std::time::Duration;

const ROUNDS: u32 = 25;
/// Events of all stories of one length together.
const EVENTS: usize = 32_768;
/// Events that are played in one go, between two looks at the clock.
const AT_ONCE: usize = 1_024;
/// The length at which the bar is set.
const USUAL: usize = 16;

pub(crate) fn measure(table: &mut Table) {
    let mut runner = Runner::new(Setup::default(), Checks::default());
    let (native, both) = (Backends::NATIVE, Backends::all());
    let mut cost = Vec::new();
    for events in [8, USUAL, 64, 256] {
        let stories = stories(2, events);
        play(table, &mut runner, &stories, native, "native");
        cost.push(play(table, &mut runner, &stories, both, "native and Xen"));
    }
    for cpus in [1, 3, 4] {
        let stories = stories(cpus, USUAL);
        play(table, &mut runner, &stories, native, "native");
        play(table, &mut runner, &stories, both, "native and Xen");
    }
    let growth = cost[cost.len() - 1] / cost[1];
    table.row(
        "cost of an event in stories of 256, against stories of 16",
        growth,
        "times",
        &Bar::AtMost(1.5),
    );
    let mut generator = Generator::new(1);
    let mut story = Story::default();
    let generated = best(ROUNDS, || time(|| (0..1_000).for_each(|_| generator.next(&mut story))));
    table.row("generating a story for the random search", nanoseconds(generated, 1_000), "ns", &Bar::None);
}

/// Stories of so many events on so many CPUs, the same each time.
fn stories(cpus: u8, events: usize) -> Vec<Story> {
    let mut generator = Generator::new(u64::from(cpus));
    let mut next = || {
        let mut story = Story::default();
        loop {
            generator.next(&mut story);
            if story.header.cpus == cpus && !story.events.is_empty() {
                return story;
            }
        }
    };
    let mut of_length = || {
        let mut story = next();
        loop {
            story = story.resolve().to_story();
            if story.events.len() >= events {
                story.events.truncate(events);
                return story;
            }
            story.events.extend(next().events);
        }
    };
    (0..EVENTS / events).map(|_| of_length()).collect()
}

/// Plays them. Returns nanoseconds for each event.
fn play(table: &mut Table, runner: &mut Runner, stories: &[Story], backends: Backends, names: &str) -> f64 {
    let (events, cpus) = (stories[0].events.len(), stories[0].header.cpus);
    let mut found = None;
    let mut at_once = |stories: &[Story]| {
        best(ROUNDS, || {
            time(|| {
                for story in stories {
                    found = found.take().or_else(|| runner.play(story, backends));
                }
            })
        })
    };
    let taken: Duration = stories.chunks(AT_ONCE / events).map(&mut at_once).sum();
    if let Some(found) = found {
        panic!("a story of the bench has a finding, and was not played to its end: {found:?}");
    }
    let story = nanoseconds(taken, stories.len() as u32);
    let event = nanoseconds(taken, (stories.len() * events) as u32);
    let bar = match (events, cpus) {
        (USUAL, 2) if backends == Backends::all() => Bar::AtLeast(20_000.0),
        _ => Bar::None,
    };
    let s = if cpus == 1 { "" } else { "s" };
    table.row(&format!("{names}, {events} events, {cpus} CPU{s}"), 1e9 / story, "stories/s", &bar);
    table.row("    and that is", event, "ns an event", &Bar::None);
    event
}
