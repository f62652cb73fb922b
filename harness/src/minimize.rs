//! The minimizer: makes the story of a finding as short and as plain as it can while the same headline recurs.
//!
//! It works on the resolved story, in which every operand is bound and no event is void, so that deleting a line changes
//! as little as possible in the meaning of the others. A change is kept if the headline recurs and the story got
//! smaller by a measure that counts events first; so it comes to an end, and the same story always shrinks to the
//! same one. What is left at the end has its pauses written by name, which survives edits of the code.

mod events;
mod header;
mod measure;
mod operands;
mod pauses;
mod trades;
mod wander;

use crate::headline::{Finding, Headline};
use crate::runner::Runner;
use crate::story::{Backends, MAX_RECORDS, Story};

use measure::{Measure, measure};

/// So often at most the pauses are named and the story is made smaller again.
const NAMINGS: usize = 8;

/// How far it got.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Events of the smallest story so far.
    pub events: usize,
    /// Stories played.
    pub played: u64,
}

/// A story that was made smaller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Minimized {
    /// The story, with its pauses by name.
    pub story: Story,
    /// What it finds.
    pub finding: Finding,
    /// It was interrupted before it was done.
    pub interrupted: bool,
}

/// Makes a story smaller that finds something on these backends; none if it finds nothing. `goes_on` hears of every
/// change that was kept, and of every few hundred that were not, and may say that it is enough.
pub fn minimize(
    runner: &mut Runner,
    story: &Story,
    backends: Backends,
    goes_on: &mut dyn FnMut(Progress) -> bool,
) -> Option<Minimized> {
    // Without its void events the story is told anew: what it finds may change with it, and then the new story counts.
    let clean = story.resolve().to_story();
    let (story, finding) = match runner.play(&clean, backends) {
        Some(finding) => (clean, finding),
        None => (story.clone(), runner.play(story, backends)?),
    };
    let mut shrink = Shrink {
        runner,
        backends,
        wanted: finding.headline.clone(),
        smallest: measure(&story),
        finding,
        story,
        played: 1,
        stopped: false,
        goes_on,
    };
    // A pause by name stays where it is when its operation gets smaller, so that more can go once it has one.
    for _ in 0..NAMINGS {
        let before = shrink.story.clone();
        shrink.shrink_to_a_fixpoint();
        pauses::by_name(&mut shrink);
        if shrink.story == before {
            break;
        }
    }
    let interrupted = shrink.stopped;
    Some(Minimized { story: shrink.story, finding: shrink.finding, interrupted })
}

/// One story on its way to become smaller.
struct Shrink<'a> {
    runner: &'a mut Runner,
    backends: Backends,
    wanted: Headline,
    story: Story,
    finding: Finding,
    smallest: Measure,
    played: u64,
    stopped: bool,
    goes_on: &'a mut dyn FnMut(Progress) -> bool,
}

impl Shrink<'_> {
    fn shrink_to_a_fixpoint(&mut self) {
        loop {
            let before = self.smallest;
            header::shrink(self);
            events::shrink(self);
            pauses::shrink(self);
            operands::shrink(self);
            trades::shrink(self);
            if self.smallest == before {
                wander::shrink(self);
            }
            if self.smallest == before || self.stopped {
                return;
            }
        }
    }

    /// Whether a story finds the same. It is to be taken over then.
    fn recurs(&mut self, candidate: &Story) -> bool {
        let found = self.play(candidate);
        let recurs = found.is_some();
        if let Some(finding) = found {
            self.finding = finding;
        }
        recurs
    }

    /// Whether a story finds the same, which is not taken over for it.
    fn finds_the_same(&mut self, candidate: &Story) -> bool {
        self.play(candidate).is_some()
    }

    /// The same finding, if a story has it.
    fn play(&mut self, candidate: &Story) -> Option<Finding> {
        self.played += 1;
        if self.played.is_multiple_of(512) {
            self.report();
        }
        self.runner.play(candidate, self.backends).filter(|finding| finding.headline == self.wanted)
    }

    fn report(&mut self) {
        let progress = Progress { events: self.story.events.len(), played: self.played };
        self.stopped |= !(self.goes_on)(progress);
    }

    /// Takes a story over if it is smaller and finds the same. It is judged as it would be told: resolved, and without
    /// what has become void.
    fn attempt(&mut self, candidate: &Story) -> bool {
        if self.stopped || candidate.events.len() > MAX_RECORDS {
            return false;
        }
        let candidate = candidate.resolve().to_story();
        let size = measure(&candidate);
        if size >= self.smallest || !self.recurs(&candidate) {
            return false;
        }
        self.story = candidate;
        self.smallest = size;
        self.report();
        true
    }

    /// Changes a copy of the story and takes it over, as [`Shrink::attempt`].
    fn attempt_with(&mut self, change: impl FnOnce(&mut Story)) -> bool {
        let mut candidate = self.story.clone();
        change(&mut candidate);
        self.attempt(&candidate)
    }
}
