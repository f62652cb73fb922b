//! Playing one story on one backend: the events in told order, then the end.
//!
//! What an event means is fixed in the story's own words; here it is only carried out. Nothing runs but what is told,
//! and what must run for that to go on.

use impls::{Sizes, Task};
use machine::{Frame, Pause, Told};
use oracle::vocabulary::{PageSlot, Place, SLOTS, UserPage};

use crate::checks::{outcome, rest};
use crate::story::{Backends, Resolved, ResolvedAction};
use crate::subject::{Setup, Subject};

use super::cast::Cast;
use super::scene::Scene;

/// Plays a story on one backend. What it finds is in the scene.
pub(super) fn play(
    subject: &mut dyn Subject,
    scene: &mut Scene,
    backend: Backends,
    setup: &Setup,
    resolved: &Resolved,
) {
    subject.reset(resolved.header.build(), setup);
    subject.bus().limit_steps(scene.most_steps);
    scene.enter(backend, subject, &setup.protocol);
    if scene.recording {
        subject.bus().start_tracing();
    }
    let booted = subject.bus().memory.frames_used();
    let mut stage = Stage { subject, scene, cast: Cast::default() };
    for told in &resolved.events {
        if stage.scene.recording {
            stage.scene.begins.push(stage.subject.bus().trace().len());
        }
        stage.scene.tell(Some(told.index), name(&told.action), stage.subject.bus());
        stage.tell(told.index, told.cpu, &told.action, told.pause);
        if !stage.goes_on() {
            return;
        }
    }
    stage.scene.tell(None, "the end", stage.subject.bus());
    if stage.scene.recording {
        stage.scene.begins.push(stage.subject.bus().trace().len());
    }
    stage.end(booted);
}

/// The word for what happens.
fn name(action: &ResolvedAction) -> &'static str {
    match action {
        ResolvedAction::Void => "void",
        ResolvedAction::Call(call) => call.operation.name(),
        ResolvedAction::Continue => "continue",
        ResolvedAction::Deliver { .. } => "deliver",
        ResolvedAction::Fill { .. } => "fill",
        ResolvedAction::FillUser { .. } => "fill-user",
        ResolvedAction::HostPreempt => "host-preempt",
        ResolvedAction::HostEnter => "host-enter",
        ResolvedAction::ApplyBroadcast => "apply-broadcast",
        ResolvedAction::DrainStores { .. } => "drain-stores",
        ResolvedAction::GracePeriod => "grace-period",
        ResolvedAction::RunWork => "run-work",
        ResolvedAction::Touch => "touch",
    }
}

struct Stage<'a> {
    subject: &'a mut dyn Subject,
    scene: &'a mut Scene,
    cast: Cast,
}

impl Stage<'_> {
    fn goes_on(&mut self) -> bool {
        self.scene.goes_on(self.subject.bus())
    }

    fn tell(&mut self, event: u16, cpu: u8, action: &ResolvedAction, pause: Option<Pause>) {
        match *action {
            ResolvedAction::Void => {}
            ResolvedAction::Call(call) if call.operation.is_of_a_device() => {
                self.scene.device(self.subject, event, call);
            }
            ResolvedAction::Touch => self.scene.touch(self.subject),
            ResolvedAction::Call(call) => {
                if self.continue_all(cpu) {
                    self.scene.begin_call(self.subject, cpu, event, call);
                    self.begin(cpu, Task::Call(call), pause);
                }
            }
            ResolvedAction::RunWork => {
                if self.continue_all(cpu) {
                    self.scene.begin_other(cpu, "run-work");
                    self.begin(cpu, Task::RunWork, pause);
                }
            }
            ResolvedAction::Continue => self.continue_one(cpu, pause),
            ResolvedAction::Deliver { from } => {
                let told = self.subject.deliver(cpu, from, pause, self.scene);
                self.keep(cpu, told, pause.is_some());
            }
            ResolvedAction::Fill { place } => self.fill(cpu, place),
            ResolvedAction::FillUser { at } => self.fill_user(cpu, at),
            ResolvedAction::HostPreempt => self.host(cpu, true, pause),
            ResolvedAction::HostEnter => self.host(cpu, false, pause),
            ResolvedAction::ApplyBroadcast => {
                self.subject.bus().apply_broadcast(cpu);
            }
            ResolvedAction::DrainStores { count } => {
                self.subject.drain_stores(cpu, usize::from(count));
            }
            ResolvedAction::GracePeriod => {
                self.subject.grace_period();
            }
        }
    }

    fn begin(&mut self, cpu: u8, task: Task, pause: Option<Pause>) {
        let told = self.subject.begin(cpu, task, pause, self.scene);
        self.keep(cpu, told, pause.is_some());
    }

    /// The host beneath takes a CPU away, or gives it back.
    fn host(&mut self, cpu: u8, takes_away: bool, pause: Option<Pause>) {
        let told = self.subject.host(cpu, takes_away, pause, self.scene);
        self.keep(cpu, told, pause.is_some());
    }

    /// Remembers where what the story paused stands.
    fn keep(&mut self, cpu: u8, told: Told, paused: bool) {
        let stands = self.hear(told);
        if paused {
            self.cast.paused(cpu, if stands { self.subject.depth(cpu) } else { 0 });
        }
    }

    /// Returns whether it stands somewhere now.
    fn hear(&mut self, told: Told) -> bool {
        match told {
            Told::Paused(point) => {
                self.scene.paused(point);
                true
            }
            Told::Ended | Told::Nothing | Told::Waiting(_) | Told::Failed => false,
        }
    }

    /// Lets everything on a CPU go on to its end. Returns whether the story goes on.
    fn continue_all(&mut self, cpu: u8) -> bool {
        self.cast.clear(cpu);
        self.continue_down_to(cpu, 0)
    }

    fn continue_down_to(&mut self, cpu: u8, depth: usize) -> bool {
        while self.subject.depth(cpu) > depth {
            self.subject.resume(cpu, None, self.scene);
            if !self.goes_on() {
                return false;
            }
        }
        true
    }

    /// The innermost that the story paused goes on: to its end, or to the next pause.
    fn continue_one(&mut self, cpu: u8, pause: Option<Pause>) {
        let level = self.cast.innermost(cpu, self.subject.depth(cpu));
        if pause.is_none() {
            self.cast.pop(cpu);
        }
        if level == 0 {
            return;
        }
        if pause.is_none() {
            self.continue_down_to(cpu, level - 1);
        } else if self.continue_down_to(cpu, level) {
            let told = self.subject.resume(cpu, pause, self.scene);
            self.hear(told);
        }
    }

    /// The hardware walks on its own accord to where a mapping lies, or last lay. A backend that never made it has no
    /// such place.
    fn fill(&mut self, cpu: u8, place: Place) {
        let range = self.subject.last_range(place.mapping).filter(|range| place.page < range.pages);
        if let Some(range) = range {
            self.subject.bus().fill(cpu, crate::checks::aliases::address(range, place.page));
        }
    }

    /// The hardware walks on its own accord to a user address, from the root that the CPU has loaded.
    fn fill_user(&mut self, cpu: u8, at: UserPage) {
        if let Some(va) = self.subject.user_address(at.page) {
            self.subject.bus().fill(cpu, va);
        }
    }

    // --- the end ---

    /// The story is over: everything goes on to its end, then the last checks, then nothing must be left.
    fn end(&mut self, booted: u32) {
        if self.settle() && self.work() && self.look_around() {
            self.scene.teardown = Some(self.subject.bus().trace().len());
            self.scene.begin_other(0, "teardown");
            let astray = self.scene.astray(self.subject);
            self.subject.begin(0, Task::Teardown, None, self.scene);
            if self.goes_on() && self.settle() {
                self.look_what_is_left(booted, &astray);
            }
        }
    }

    /// Continues all, lowest CPU first, delivers all, drains all, and lets grace periods pass until nothing waits.
    fn settle(&mut self) -> bool {
        loop {
            let mut moved = false;
            for cpu in 0..self.subject.bus().cpus() {
                if !self.continue_all(cpu) {
                    return false;
                }
            }
            for cpu in 0..self.subject.bus().cpus() {
                // A CPU that was taken away has all of it before it.
                moved |= self.subject.host(cpu, false, None, self.scene) != Told::Nothing;
                while self.subject.deliver(cpu, None, None, self.scene) != Told::Nothing {
                    moved = true;
                    if !self.goes_on() {
                        return false;
                    }
                }
                moved |= self.subject.drain_stores(cpu, usize::MAX) != 0;
            }
            while self.subject.grace_period_wanted() && self.subject.grace_period() {
                moved = true;
            }
            if !moved {
                return self.goes_on();
            }
        }
    }

    /// Deferred work is done.
    fn work(&mut self) -> bool {
        while self.subject.work_pending() {
            self.scene.begin_other(0, "run-work");
            self.subject.begin(0, Task::RunWork, None, self.scene);
            if !self.goes_on() || !self.settle() {
                return false;
            }
        }
        true
    }

    /// The checks when everything stands still.
    fn look_around(&mut self) -> bool {
        let checks = self.scene.checks();
        let bus = self.subject.bus();
        let mut breach = None;
        if checks.eager {
            breach = self.scene.look_at_rest(bus);
        }
        if checks.observational && breach.is_none() {
            breach = self.scene.other_domain_looks(bus);
        }
        if checks.observational && breach.is_none() {
            let pages = (0..SLOTS).map(PageSlot::new);
            breach = pages
                .filter(|page| !self.scene.reference.possible(*page).is_empty())
                .find_map(|page| {
                    outcome::contents(bus, &self.scene.reference, page, self.subject.frame_of(page))
                })
                .or_else(|| self.scene.ledger.contents(&self.scene.reference))
                .or_else(|| self.scene.contents_of_areas(bus));
        }
        if let Some(breach) = breach {
            self.scene.find(breach, 0, "the end");
            return false;
        }
        true
    }

    fn look_what_is_left(&mut self, booted: u32, astray: &[Frame]) {
        let expected = booted - u32::from(Sizes::INITIAL_PAGES);
        let held = rest::taken_back(self.subject.bus(), astray);
        let leftovers = self.subject.leftovers();
        if let Some(breach) = held.or_else(|| rest::check(self.subject.bus(), expected, &leftovers)) {
            self.scene.find(breach, 0, "teardown");
        }
    }
}
