//! The schedules of one story on one backend, and how they are played.
//!
//! A pause stands before the n-th point of an event, from the first on until the event ends before it is reached. The later event of a
//! pair has as many places as it has points under the pause of the earlier one.

use core::ops::ControlFlow;

use machine::Pause;

use super::{Broken, ProtocolStory};
use crate::runner::Runner;
use crate::story::{Action, Backends, Story};

/// Why no more is played.
#[derive(Debug)]
pub(super) enum Stop {
    /// A schedule found something.
    Found(Box<Broken>),
    /// The caller said so.
    Asked,
}

type Flow<T = ()> = ControlFlow<Stop, T>;

/// Asked before each story whether it is to be played.
type GoesOn<'a> = dyn FnMut() -> bool + 'a;

/// The schedules of one story on one backend.
#[derive(Debug)]
pub(super) struct Schedules<'p> {
    protocol: &'p ProtocolStory,
    backend: Backends,
    /// The story as it is played.
    story: Story,
    /// The events that are worth a pause.
    events: Vec<usize>,
    /// How many points of each of these were paused at with no other pause.
    points: Vec<u16>,
    count: u64,
}

impl<'p> Schedules<'p> {
    /// None is played yet.
    pub(super) fn new(protocol: &'p ProtocolStory, backend: Backends) -> Self {
        let story = protocol.story.clone();
        let events = (protocol.setup..story.events.len()).filter(|event| matters(&story, *event)).collect();
        Self { protocol, backend, story, events, points: Vec::new(), count: 0 }
    }

    /// How many schedules were played.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The story as it is told.
    pub(super) fn unpaused(&mut self, runner: &mut Runner, goes_on: &mut GoesOn<'_>) -> Flow {
        self.play(runner, goes_on)?;
        self.count += 1;
        ControlFlow::Continue(())
    }

    /// Every pause of one event.
    pub(super) fn with_one_pause(&mut self, runner: &mut Runner, goes_on: &mut GoesOn<'_>) -> Flow {
        for place in 0..self.events.len() {
            let points = self.each_pause(runner, goes_on, self.events[place])?;
            self.points.push(points);
        }
        ControlFlow::Continue(())
    }

    /// Every pair of pauses of two events.
    pub(super) fn with_two_pauses(&mut self, runner: &mut Runner, goes_on: &mut GoesOn<'_>) -> Flow {
        for first in 0..self.events.len() {
            for number in 1..=self.points[first] {
                self.story.events[self.events[first]].pause = Some(Pause::At(number));
                for second in first + 1..self.events.len() {
                    self.each_pause(runner, goes_on, self.events[second])?;
                }
            }
            self.story.events[self.events[first]].pause = None;
        }
        ControlFlow::Continue(())
    }

    /// Every pause of an event beside the pauses that there are. Gives the last place at which it paused.
    fn each_pause(&mut self, runner: &mut Runner, goes_on: &mut GoesOn<'_>, event: usize) -> Flow<u16> {
        let mut number = 1;
        loop {
            self.story.events[event].pause = Some(Pause::At(number));
            self.play(runner, goes_on)?;
            if !runner.pauses().iter().any(|(paused, _)| usize::from(*paused) == event) {
                break;
            }
            self.count += 1;
            number += 1;
        }
        self.story.events[event].pause = None;
        ControlFlow::Continue(number - 1)
    }

    fn play(&mut self, runner: &mut Runner, goes_on: &mut GoesOn<'_>) -> Flow {
        if !goes_on() {
            return ControlFlow::Break(Stop::Asked);
        }
        let Some(finding) = runner.play(&self.story, self.backend) else {
            return ControlFlow::Continue(());
        };
        self.count += 1;
        let story = self.story.clone();
        ControlFlow::Break(Stop::Found(Box::new(Broken { protocol: self.protocol.name, story, finding })))
    }
}

/// Whether a pause of an event is worth its schedules: something happens before what is paused goes on. A pause of a `continue` is a second
/// one of what goes on, and no event's own.
fn matters(story: &Story, event: usize) -> bool {
    let paused = story.events[event];
    let ends_it = |action: &Action| action.begins() || *action == Action::Continue;
    let next = story.events.get(event + 1);
    paused.action.takes_pause()
        && paused.action != Action::Continue
        && next.is_some_and(|next| !next.action.has_cpu() || next.cpu != paused.cpu || !ends_it(&next.action))
}
