//! Verdicts on designs by brute force: a handful of stories, each told with every placement of up to two pauses.
//!
//! Seed 001 asks which way of freeing tables is safe on which platform. The search finds what is broken and proves nothing of what
//! is not. Here the stories are few and fixed ([`ProtocolStory`]), and their schedules are all played: none paused, every pause of one
//! event, every pair of pauses of two. A combination holds on a backend if none of them finds anything; that is what the verdict
//! says, and it says no more. The shortest schedules come first, so a combination that breaks shows the fewest pauses.
//!
//! Nothing here may know the catalogue: the verdicts are held against it, and the caller does that.

mod protocol_story;
mod rows;
mod schedules;

use core::ops::ControlFlow;

use crate::headline::Finding;
use crate::runner::Runner;
use crate::story::{Backends, Story};

pub use protocol_story::ProtocolStory;
pub use rows::rows;
use schedules::{Schedules, Stop};

/// What was found of one combination of designs on one backend.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// How many schedules were played: all that there are, or those up to the one that found something.
    pub schedules: u64,
    /// What breaks it.
    pub broken: Option<Broken>,
}

/// A schedule that finds something.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The name of the story.
    pub protocol: &'static str,
    /// The story, with its pauses.
    pub story: Story,
    /// What it finds.
    pub finding: Finding,
}

/// Plays every schedule of these stories on one backend, by the designs that the runner is set up with, up to the first that finds
/// something. Gives nothing if `goes_on`, which is asked before each, says no.
pub fn judge(
    runner: &mut Runner,
    protocols: &[ProtocolStory],
    backend: Backends,
    goes_on: &mut dyn FnMut() -> bool,
) -> Option<Verdict> {
    let mut all: Vec<_> = protocols.iter().map(|protocol| Schedules::new(protocol, backend)).collect();
    let stopped = [Schedules::unpaused, Schedules::with_one_pause, Schedules::with_two_pauses]
        .into_iter()
        .try_for_each(|play| all.iter_mut().try_for_each(|schedules| play(schedules, runner, goes_on)));
    let schedules = all.iter().map(Schedules::count).sum();
    match stopped {
        ControlFlow::Continue(()) => Some(Verdict { schedules, broken: None }),
        ControlFlow::Break(Stop::Found(broken)) => Some(Verdict { schedules, broken: Some(*broken) }),
        ControlFlow::Break(Stop::Asked) => None,
    }
}

#[cfg(test)]
mod tests;
