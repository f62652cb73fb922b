//! The runner: plays one story on every backend beside the reference and the checks, and stops at the first finding.
//!
//! One [`Runner`] plays all stories of a process; between stories it keeps memory and nothing else. It has no threads
//! and no clock, and what it says about a story depends on nothing but the story, the setup and the checks.

mod cast;
mod panics;
mod play;
mod scene;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use impls::Designs;
use machine::{Frame, Point, TraceLine};
use oracle::vocabulary::{Mapping, Outcome, Range};

use crate::checks::Checks;
use crate::coverage::Coverage;
use crate::headline::Finding;
use crate::story::resolve::resolve_into;
use crate::story::{Backends, Resolved, Story};
use crate::subject::{self, Build, Setup, Subject};

use scene::Scene;

/// Plays stories.
#[derive(Debug)]
pub struct Runner {
    setup: Setup,
    checks: Checks,
    stages: Vec<(Backends, Box<dyn Subject>)>,
    scene: Scene,
    resolved: Resolved,
    spent: Spent,
}

/// What it took to play a story.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Spent {
    /// Points passed, on the backend on which they are most; before the event that never ended, where there is one.
    pub steps: u32,
    /// An event never ended: there were no more points to pass.
    pub ran_out: bool,
}

/// What happened on one backend, line by line, when the caller wants to know.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The backend.
    pub backend: Backends,
    /// Its name.
    pub name: &'static str,
    /// What the machine saw.
    pub trace: Vec<TraceLine>,
    /// Where in the trace each event of the story begins; ends with where the story was over.
    pub begins: Vec<usize>,
    /// Where each event paused, if it did.
    pub pauses: Vec<(u16, Point)>,
    /// Where the mappings lay, in the order in which they were made.
    pub made: Vec<Made>,
    /// How the calls ended, by event, in the order in which they did.
    pub outcomes: Vec<(u16, Outcome)>,
    /// Where in the trace everything is torn down; its end if it never came to that.
    pub teardown: usize,
}

/// A mapping that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The event.
    pub event: u16,
    /// Its handle.
    pub mapping: Mapping,
    /// Where it lies.
    pub range: Range,
    /// The frames behind its pages.
    pub frames: Vec<Frame>,
}

impl Runner {
    /// A runner of our own backends.
    pub fn new(setup: Setup, checks: Checks) -> Self {
        Self::with_subjects(setup, checks, subject::all())
    }

    /// A runner of these backends.
    pub fn with_subjects(setup: Setup, checks: Checks, stages: Vec<(Backends, Box<dyn Subject>)>) -> Self {
        panics::hush_while_playing();
        let scene = Scene::new(checks);
        Self { setup, checks, stages, scene, resolved: Resolved::default(), spent: Spent::default() }
    }

    /// What is done how.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// From now on stories are played by this.
    pub fn change_setup(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// What is checked.
    pub fn checks(&self) -> Checks {
        self.checks
    }

    /// The backends that there are.
    pub fn backends(&self) -> Backends {
        self.stages.iter().fold(Backends::empty(), |all, (backend, _)| all | *backend)
    }

    /// What was played so far; which points there are is only in what [`Runner::take_coverage`] gives.
    pub fn coverage(&self) -> &Coverage {
        &self.scene.coverage
    }

    /// What was played so far, counting anew from here.
    pub fn take_coverage(&mut self) -> Coverage {
        self.ask_for_points();
        core::mem::take(&mut self.scene.coverage)
    }

    /// Plays a story on those of its backends that are asked for. Gives the first finding.
    pub fn play(&mut self, story: &Story, backends: Backends) -> Option<Finding> {
        self.play_within(story, backends, u32::MAX)
    }

    /// As [`Runner::play`], but on each backend a story that passes this many points is a livelock. It is one anyway
    /// once it has passed as many as the machine allows.
    pub fn play_within(&mut self, story: &Story, backends: Backends, most_steps: u32) -> Option<Finding> {
        let mut resolved = core::mem::take(&mut self.resolved);
        resolve_into(story, &mut resolved);
        let wanted = backends & resolved.header.backends;
        self.begin(&resolved, most_steps);
        let found = (0..self.stages.len()).find_map(|stage| {
            let plays = wanted.contains(self.stages[stage].0);
            plays.then(|| self.play_on(stage, &resolved)).flatten()
        });
        self.resolved = resolved;
        found
    }

    /// What it took to play the story that was played last.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Clears away what the last story left, which the next would do otherwise. What an engine takes for the coverage of
    /// a story then depends on that story alone.
    pub fn rest(&mut self) {
        for (_, subject) in &mut self.stages {
            subject.reset(Build::default(), &self.setup);
        }
    }

    /// Takes over from the machines which points there are.
    fn ask_for_points(&mut self) {
        for (backend, subject) in &self.stages {
            let on = self.scene.coverage.on_mut(*backend);
            subject.bus().take_known_points().for_each(|point| on.know(point));
        }
    }

    fn begin(&mut self, resolved: &Resolved, most_steps: u32) {
        self.spent = Spent::default();
        self.scene.most_steps = most_steps;
        self.scene.begin_story(resolved.events.len());
        let coverage = &mut self.scene.coverage;
        coverage.stories += 1;
        coverage.events += resolved.events.len() as u64;
        coverage.void += resolved.void as u64;
        coverage.played_with(resolved.header.designs);
    }

    /// Where the events of the story that was played last paused, on the backend that played last.
    pub fn pauses(&self) -> &[(u16, Point)] {
        &self.scene.pauses
    }

    /// Plays a story again and records everything that happens: on each of its backends, up to the finding.
    pub fn record(&mut self, resolved: &Resolved, backends: Backends) -> (Vec<Recording>, Option<Finding>) {
        let wanted = backends & resolved.header.backends;
        self.scene.recording = true;
        self.begin(resolved, u32::MAX);
        let mut recordings = Vec::new();
        let mut found = None;
        for stage in 0..self.stages.len() {
            if !wanted.contains(self.stages[stage].0) {
                continue;
            }
            let finding = self.play_on(stage, resolved);
            let (backend, subject) = &self.stages[stage];
            let trace = subject.bus().trace().clone();
            self.scene.begins.push(trace.len());
            recordings.push(Recording {
                backend: *backend,
                name: subject.name(),
                trace,
                begins: core::mem::take(&mut self.scene.begins),
                pauses: self.scene.pauses.clone(),
                made: core::mem::take(&mut self.scene.made),
                outcomes: core::mem::take(&mut self.scene.outcomes),
                teardown: self.scene.teardown.take().unwrap_or(usize::MAX),
            });
            // The others are recorded too, to stand beside it, and judged no more.
            found = found.or(finding);
        }
        self.scene.recording = false;
        (recordings, found)
    }

    fn play_on(&mut self, stage: usize, resolved: &Resolved) -> Option<Finding> {
        let (backend, subject) = &mut self.stages[stage];
        let (backend, subject, scene) = (*backend, &mut **subject, &mut self.scene);
        let designs = resolved.header.designs;
        let own = (designs != Designs::default()).then(|| self.setup.with_designs(designs));
        let setup = own.as_ref().unwrap_or(&self.setup);
        panics::begin_playing();
        let played = catch_unwind(AssertUnwindSafe(|| {
            play::play(subject, scene, backend, setup, resolved);
        }));
        let panic = panics::end_playing();
        if let Err(payload) = played {
            match panic.filter(panics::Panic::is_of_the_kernel) {
                Some(panic) => self.scene.panicked(&panic),
                // A panic of our own is no finding.
                None => resume_unwind(payload),
            }
        }
        let bus = self.stages[stage].1.bus();
        let ran_out = bus.steps_passed() == bus.config().steps;
        let steps = if ran_out { self.scene.steps_before } else { bus.steps_passed() };
        self.spent.steps = self.spent.steps.max(steps);
        self.spent.ran_out |= ran_out;
        self.scene.count_steps(&setup.protocol);
        self.scene.finding.take()
    }
}
