//! The minimizer: makes the story of a finding as short and as plain as it can while the same headline recurs.
//!
//! It works on the resolved story, in which every operand is bound and no event is void, so that deleting a line changes
//! as little as possible in the meaning of the others. A change is kept if the headline recurs and the story got
//! smaller by a measure that counts events first; so it comes to an end, and the same story always shrinks to the
//! same one. What is left at the end has its pauses written by name, which survives edits of the code.
//!
//! A story that never ends is played until it has passed as many points as the machine allows, which takes a thousand times
//! as long as most others. So stories are given few points, in proportion to what the story at hand needs; before one is
//! taken over that used them up, it is played to the end.

mod designs;
mod events;
mod header;
mod measure;
mod operands;
mod pauses;
mod trades;
mod wander;

use crate::combinations;
use crate::headline::{Finding, Headline};
use crate::runner::Runner;
use crate::story::{Backends, MAX_RECORDS, Story};

use measure::Measure;

/// The pauses are named, and the story is made smaller again, at most this many times.
const NAMINGS: usize = 8;

/// A story may pass this many times the points that the story at hand passed, and [`MORE_STEPS`] more: a change can
/// make an operation do more, as one that runs out of space. Few operations pass more than a thousand.
const TIMES_THE_STEPS: u32 = 2;
const MORE_STEPS: u32 = 1 << 14;

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
    /// The designs that it is played under: of those that were asked for by name, the ones that the finding needs.
    pub asked_for: Vec<(String, String)>,
    /// It was interrupted before it was done.
    pub interrupted: bool,
}

/// Makes a story smaller that finds something on these backends; none if it finds nothing. `goes_on` hears of every
/// change that was kept, and of every few hundred that were not, and may say that it is enough. The runner is set up in the
/// end as it was in the beginning.
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
    let setup = runner.setup().clone();
    let mut shrink = Shrink {
        wanted: finding.headline.clone(),
        smallest: measure::measure(&story, setup.asked_for.len()),
        most_steps: most_steps(runner),
        runner,
        backends,
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
    let Shrink { runner, story, finding, stopped: interrupted, .. } = shrink;
    let asked_for = runner.setup().asked_for.to_vec();
    runner.change_setup(setup);
    Some(Minimized { story, finding, asked_for, interrupted })
}

/// What is given to stories that are about as long as the one that was played last.
fn most_steps(runner: &Runner) -> u32 {
    runner.spent().steps.saturating_mul(TIMES_THE_STEPS).saturating_add(MORE_STEPS)
}

/// One story on its way to become smaller.
struct Shrink<'a> {
    runner: &'a mut Runner,
    backends: Backends,
    wanted: Headline,
    story: Story,
    finding: Finding,
    smallest: Measure,
    /// This many points are given to the stories that are tried.
    most_steps: u32,
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
        let mut found = self.play(candidate, self.most_steps);
        // With more points it might have come to its end.
        if found.is_some() && self.runner.spent().ran_out {
            found = self.play(candidate, u32::MAX);
        }
        let Some(finding) = found else { return false };
        self.finding = finding;
        self.most_steps = most_steps(self.runner);
        true
    }

    /// Whether a story finds the same, which is not taken over for it; or would seem to, if it went on.
    fn finds_the_same(&mut self, candidate: &Story) -> bool {
        self.play(candidate, self.most_steps).is_some()
    }

    /// The same finding, if a story has it before it has passed this many points.
    fn play(&mut self, candidate: &Story, most_steps: u32) -> Option<Finding> {
        self.played += 1;
        if self.played.is_multiple_of(512) {
            self.report();
        }
        let found = self.runner.play_within(candidate, self.backends, most_steps);
        found.filter(|finding| finding.headline == self.wanted)
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
        let size = self.measure(&candidate);
        if size >= self.smallest || !self.can_be_told(&candidate) || !self.recurs(&candidate) {
            return false;
        }
        self.story = candidate;
        self.smallest = size;
        self.report();
        true
    }

    fn measure(&self, story: &Story) -> Measure {
        measure::measure(story, self.runner.setup().asked_for.len())
    }

    /// Whether a file can hold it, if one can hold the story at hand: the designs of a header are correct together.
    fn can_be_told(&self, candidate: &Story) -> bool {
        let combination = |story: &Story| (story.header.designs, story.header.backends);
        let (new, old) = (combination(candidate), combination(&self.story));
        new == old || !combinations::breaks_otherwise(new, old)
    }

    /// Changes a copy of the story and takes it over, as [`Shrink::attempt`].
    fn attempt_with(&mut self, change: impl FnOnce(&mut Story)) -> bool {
        let mut candidate = self.story.clone();
        change(&mut candidate);
        self.attempt(&candidate)
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Selection;
    use crate::checks::Checks;
    use crate::story::Under;

    use super::*;

    /// By chance a story comes to be told of a backend on which its designs are broken. No file could hold it.
    #[test]
    fn a_story_is_not_taken_over_whose_designs_are_broken_where_it_is_played() {
        let under = Under { bug: Some("canary".to_owned()), designs: Vec::new() };
        let setup = Selection::all(&under).expect("a known bug")[0].setup();
        let mut runner = Runner::new(setup, Checks::default());
        let text = "story 1\n\
            cpus 1, hardware calm, sizes tiny, backends native, designs kernel_sync=on-fault\n\
            c0  free-page p0\n\
            c0  drain-aliases\n";
        let story: Story = text.parse().expect("a story");
        let finding = runner.play(&story, Backends::all()).expect("it is found");
        let mut shrink = Shrink {
            wanted: finding.headline.clone(),
            smallest: measure::measure(&story, 0),
            most_steps: u32::MAX,
            runner: &mut runner,
            backends: Backends::all(),
            finding,
            story,
            played: 1,
            stopped: false,
            goes_on: &mut |_| true,
        };
        let mut shorter = shrink.story.clone();
        shorter.events.truncate(1);
        shorter.header.backends = Backends::all();
        assert!(!shrink.attempt(&shorter), "it is broken on Xen");
        shorter.header.backends = Backends::NATIVE;
        assert!(shrink.attempt(&shorter));
    }
}
