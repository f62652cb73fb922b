//! What designs cost: workloads are run on machines that are metered, and a model turns what was counted into time.
//!
//! Every figure that comes out is counted or computed from counts; none is written down here. What is right and what is
//! wrong is never decided here: the designs that are compared are those that the checks let pass.

pub mod drain;
mod engine;
pub mod finding;
pub mod model;
pub mod scaling;
pub mod sensitivity;
pub mod tables;
pub mod user;

use machine::{Counted, Counts};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

pub use finding::Finding;
pub use model::{Model, ModelError};

use crate::story::Backends;

/// A question that can be asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question {
    /// What does a drain cost, with nothing, one, many areas outstanding, against one eager unmap?
    Drain,
    /// What does each way for Xen to learn of aliases cost for a page that becomes a page table?
    Tables,
    /// How do eager unmapping, lazy areas and per-CPU blocks scale with the number of CPUs?
    Scaling,
    /// What does it cost to take user memory away, by each way to free a table and to reach other CPUs?
    User,
    /// Which verdicts change when a price is half or twice as much?
    Sensitivity,
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 5] = [Self::Drain, Self::Tables, Self::Scaling, Self::User, Self::Sensitivity];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Tables => "tables",
            Self::Scaling => "scaling",
            Self::User => "user",
            Self::Sensitivity => "sensitivity",
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The questions, each once.
    pub questions: Vec<Question>,
    /// Numbers of CPUs, from 1 to [`machine::MAX_CPUS`].
    pub cpus: Vec<u8>,
    /// On which backends.
    pub backends: Backends,
    /// What things cost.
    pub model: Model,
}

/// What came out. A question that was not asked has no rows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The drains.
    pub drain: Vec<drain::Row>,
    /// The page-table pages.
    pub tables: Vec<tables::Row>,
    /// The schemes on more and more CPUs.
    pub scaling: Vec<scaling::Row>,
    /// The user memory that is taken away.
    pub user: Vec<user::Row>,
    /// How much the verdicts rest on single prices.
    pub sensitivity: Vec<sensitivity::Row>,
    /// What the figures say to what was claimed.
    pub findings: Vec<Finding>,
}

/// What some operations of one CPU cost: itself, and the others.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cost {
    /// Time on the CPU that called, in nanoseconds.
    pub caller_ns: f64,
    /// Of this, waiting.
    pub waited_ns: f64,
    /// Time in handlers on all other CPUs together, in nanoseconds.
    pub stolen_ns: f64,
    /// What was counted on all CPUs, by name; what did not happen is left out.
    pub counts: BTreeMap<&'static str, u64>,
    /// Hypercalls by name.
    pub hypercalls: BTreeMap<&'static str, u64>,
}

impl Cost {
    /// How often this happened.
    pub fn count(&self, what: Counted) -> u64 {
        self.counts.get(what.name()).copied().unwrap_or(0)
    }

    /// Interrupts sent.
    pub fn ipis(&self) -> u64 {
        self.count(Counted::IpiBusy) + self.count(Counted::IpiIdle)
    }

    /// Invalidations of every kind.
    pub fn flushes(&self) -> u64 {
        [Counted::FlushPage, Counted::FlushFull, Counted::FlushGlobal]
            .map(|what| self.count(what))
            .iter()
            .sum()
    }

    /// Both together.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.caller_ns = rounded(self.caller_ns + other.caller_ns);
        self.waited_ns = rounded(self.waited_ns + other.waited_ns);
        self.stolen_ns = rounded(self.stolen_ns + other.stolen_ns);
        for (name, times) in &other.counts {
            *self.counts.entry(name).or_default() += times;
        }
        for (name, times) in &other.hypercalls {
            *self.hypercalls.entry(name).or_default() += times;
        }
        self
    }

    /// Time on all CPUs together, in nanoseconds.
    pub fn everywhere_ns(&self) -> f64 {
        self.caller_ns + self.stolen_ns
    }
}

fn named(counts: &Counts) -> BTreeMap<&'static str, u64> {
    let every = Counted::ALL.iter().map(|what| (what.name(), counts.of(*what)));
    every.filter(|(_, times)| *times != 0).collect()
}

/// A figure for people and machines: one decimal.
fn rounded(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

/// The kernel did not get through a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// Measures each case, on as many threads as there are CPUs: each is a machine of its own. `heard` is told of each before it is
/// measured; the answers are in the order of the cases.
fn side_by_side<T: Sync, R: Send>(
    cases: &[T],
    heard: &mut dyn FnMut(&T),
    measure: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let (next, (begins, begun)) = (AtomicUsize::new(0), mpsc::channel());
    let work = |begins: mpsc::Sender<usize>| {
        let mut measured = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else { return measured };
            begins.send(number).expect("the receiver outlives the threads");
            measured.push((number, measure(case)));
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(cases.len());
        let workers: Vec<_> =
            (0..threads).map(|_| begins.clone()).map(|begins| scope.spawn(|| work(begins))).collect();
        drop(begins);
        for number in begun {
            heard(&cases[number]);
        }
        let mut measured: Vec<_> =
            workers.into_iter().flat_map(|worker| worker.join().expect("no measurement panics")).collect();
        measured.sort_unstable_by_key(|(number, _)| *number);
        measured.into_iter().map(|(_, answer)| answer).collect()
    })
}

/// Asks all questions; `heard` is told of each measurement before it is made.
pub fn ask(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Report, Broken> {
    let mut report = Report::default();
    for question in &asked.questions {
        match question {
            Question::Drain => report.drain = drain::measure(asked, heard)?,
            Question::Tables => report.tables = tables::measure(asked, heard)?,
            Question::Scaling => report.scaling = scaling::measure(asked, heard)?,
            Question::User => report.user = user::measure(asked, heard)?,
            Question::Sensitivity => report.sensitivity = sensitivity::measure(asked, heard)?,
        }
    }
    report.findings = finding::all(&report);
    Ok(report)
}
