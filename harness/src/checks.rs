//! The checks: one file for each rule of the contract that is judged by looking at the machine.
//!
//! A check reads the machine (tables, TLBs, roles, incarnations) or values, and never the books of the kernel that it
//! judges. Beside each stands what is legal and looks similar, and a test that the check stays silent there.
//!
//! *Eager* checks look at the machine when an operation returns, so that they find a stale translation before a CPU
//! used it. *Observational* ones look at values alone, as a caller would. What the machine itself raises an alarm for
//! is eager, but for deadlocks and the kernel's own complaints, which end every story.

pub mod acknowledged;
pub mod agreement;
pub mod aliases;
pub mod buffers;
pub mod drain;
pub mod frames;
pub mod hypervisor;
pub mod loaded;
pub mod memory_types;
pub mod other_domain;
pub mod outcome;
pub mod permissions;
pub mod pins;
pub mod progress;
pub mod range_reuse;
pub mod rest;
pub mod roots;
pub mod translations;
pub mod user_memory;
pub mod watch;
pub mod ways;
#[cfg(test)]
mod workbench;

use std::borrow::Cow;

use machine::{Alarm, Bus, Frame};
use oracle::Rule;

use crate::headline::About;

/// Which checks are made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Checks {
    /// Those that look at the machine.
    pub eager: bool,
    /// Those that look at values alone.
    pub observational: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { eager: true, observational: true }
    }
}

/// A rule that was seen broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// The CPU that it was seen on, where that is another than the one whose operation ended.
    pub cpu: Option<u8>,
    /// What is wrong, the same words for the same bug.
    pub what: Cow<'static, str>,
    /// What exactly was seen.
    pub detail: String,
    /// What it is about.
    pub about: About,
}

impl Breach {
    fn new(rule: Rule, what: &'static str, detail: String) -> Self {
        Self { rule, cpu: None, what: Cow::Borrowed(what), detail, about: About::default() }
    }

    fn on(self, cpu: u8) -> Self {
        Self { cpu: Some(cpu), ..self }
    }

    fn about(
        mut self,
        pages: impl IntoIterator<Item = u64>,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Self {
        self.about.pages.extend(pages);
        self.about.frames.extend(frames);
        self
    }
}

/// The first alarm of the machine that these checks care for, as a breach.
pub fn first_alarm(bus: &Bus, checks: Checks) -> Option<Breach> {
    bus.alarms().iter().find_map(|alarm| {
        let (rule, what) = judge(alarm, checks)?;
        let at = alarm.at.map_or(String::new(), |at| format!(" ({}:{})", at.file(), at.line()));
        let detail = format!("{}{at}", describe(alarm));
        let mut about = About::default();
        frames::about(&alarm.kind, &mut about);
        progress::about(&alarm.kind, &mut about);
        Some(Breach { rule, cpu: Some(alarm.cpu), what, detail, about })
    })
}

fn judge(alarm: &Alarm, checks: Checks) -> Option<(Rule, Cow<'static, str>)> {
    if let Some(what) = frames::judge(&alarm.kind) {
        return checks.eager.then_some((Rule::Frames, Cow::Borrowed(what)));
    }
    if let Some(what) = progress::judge(&alarm.kind) {
        return Some((Rule::Progress, what));
    }
    rest::judge(&alarm.kind).map(|what| (Rule::Rest, what))
}

fn describe(alarm: &Alarm) -> String {
    frames::describe(&alarm.kind)
        .or_else(|| progress::describe(&alarm.kind))
        .unwrap_or_else(|| format!("{:?}", alarm.kind))
}
