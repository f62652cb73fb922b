//! One run of an engine's process: what stories are played on, which finding is looked for, and when to say how it
//! goes. The clock is read for that only; it must never reach a story.

use std::fmt;
use std::time::{Duration, Instant};

use crate::story::{Document, Story, Under};

use super::stage::how_to_go_on;

/// How often a run says how it goes.
const PULSE: Duration = Duration::from_secs(10);

/// What stories are played on.
pub(super) trait Stage {
    /// Plays a story on every backend beside the reference.
    fn play(&mut self, story: &Story) -> Option<Finding>;

    /// In one line, what was played since the start: stories per backend, how often each operation took effect, and
    /// the share of void events.
    fn pulse(&self) -> String;
}

/// What a story found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    /// One line, the same for the same bug.
    pub(super) headline: String,
    /// All there is to say: headline, story, lanes, and how to play it again.
    pub(super) report: String,
}

type Build = dyn Fn(&Under) -> Result<Box<dyn Stage>, String>;

/// The state of a run.
pub(super) struct Session {
    under: Under,
    build: Box<Build>,
    stage: Box<dyn Stage>,
    wanted: Option<String>,
    /// None before the first story: a process that an engine forks off has a clock of its own.
    next_pulse: Option<Instant>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("under", &self.under)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A run under this bug and these designs; an error if there are none such.
    pub(super) fn new(
        under: Under,
        build: impl Fn(&Under) -> Result<Box<dyn Stage>, String> + 'static,
    ) -> Result<Self, String> {
        let stage = build(&under)?;
        Ok(Self { under, build: Box::new(build), stage, wanted: None, next_pulse: None })
    }

    pub(super) fn play(&mut self, story: &Story) -> Option<Finding> {
        self.stage.play(story)
    }

    /// Gives up the stage as it stands and builds it anew.
    pub(super) fn start_over(&mut self) {
        self.stage = (self.build)(&self.under).expect("it could be built before");
    }

    /// From now on every other headline is passed over.
    pub(super) fn look_only_for(&mut self, headline: String) {
        self.wanted = Some(headline);
    }

    pub(super) fn looks_for(&self, headline: &str) -> bool {
        self.wanted.as_deref().is_none_or(|wanted| wanted == headline)
    }

    /// The line that says how it goes, when it is time for one.
    pub(super) fn pulse(&mut self) -> Option<String> {
        let now = Instant::now();
        let due = self.next_pulse.is_some_and(|at| at <= now);
        if due || self.next_pulse.is_none() {
            self.next_pulse = Some(now + PULSE);
        }
        due.then(|| self.stage.pulse())
    }

    /// What there is to say of a panic of our own code: no lanes, as whatever would draw them may be what broke.
    pub(super) fn report_of_panic(&self, headline: &str, story: &Story) -> String {
        let document = Document { story: story.clone(), under: self.under.clone(), finds: None };
        format!("{headline}\n\n{document}\nTo play it again: {}", how_to_go_on(&self.under))
    }
}
