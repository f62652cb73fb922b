//! No alarm by kernels that are held to be correct.

use std::fmt::{self, Write};

use harness::story::{BACKENDS, Backends, Under};
use serde::Serialize;

use crate::complaint::Done;
use crate::interrupt;
use crate::keep::Folder;
use crate::output::{count, share};
use crate::progress::{End, Progress};
use crate::run::findings::Findings;
use crate::run::jobs::{Jobs, Message};
use crate::run::sequence::Sequence;

/// Everything is to come up so often.
const OFTEN: u64 = 100;

/// Fewer stories than these cannot reach everything so often: of the default designs, and of all combinations.
const ENOUGH: [u64; 2] = [2_000_000, 3_000_000];

/// On which backends combinations of designs are played, and on how many fifths of the stories. What is broken on one backend is
/// drawn where the other plays by itself.
pub(super) const SHARES: [(Backends, u64); 3] =
    [(Backends::all(), 3), (Backends::NATIVE, 1), (Backends::XEN, 1)];

/// What stories came to that are to raise no alarm.
#[derive(Debug, Serialize)]
pub(super) struct Silence {
    claim: String,
    stories: u64,
    events: u64,
    void: u64,
    combinations: usize,
    /// The alarms, each with its file.
    alarms: Vec<String>,
    /// What came up too seldom.
    seldom: Vec<String>,
    /// These are too few stories to reach everything often enough, so that nothing is said of what came up too seldom.
    too_few: bool,
}

/// The default designs on every backend.
pub(super) fn by_default(stories: u64, threads: usize, folder: &Folder) -> Done<Silence> {
    let sequence = Sequence::new(1, Backends::all(), Some(stories));
    play("the default designs raise no alarm".to_owned(), sequence, (stories, ENOUGH[0]), threads, folder)
}

/// Every story with designs of its own.
pub(super) fn by_sample(
    (backends, fifths): (Backends, u64),
    sampled: u64,
    threads: usize,
    folder: &Folder,
) -> Done<Silence> {
    let stories = (sampled / 5 * fifths).max(1);
    let sequence = Sequence::new(1, backends, Some(stories)).with_any_designs(true);
    let on = BACKENDS.iter().filter(|(backend, _)| backends.contains(*backend));
    let on: Vec<_> = on.map(|(_, name)| *name).collect();
    let (last, others) = on.split_last().expect("some backend");
    let on = if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) };
    let claim = format!("no combination of designs that is held to be correct raises an alarm on {on}");
    let enough = if backends == Backends::all() { ENOUGH[1] } else { u64::MAX };
    play(claim, sequence, (stories, enough), threads, folder)
}

fn play(
    claim: String,
    sequence: Sequence,
    (stories, enough): (u64, u64),
    threads: usize,
    folder: &Folder,
) -> Done<Silence> {
    let under = Under::default();
    let mut progress = Progress::new(&claim, End::Stories(stories));
    let mut findings = Findings::new(folder, &under);
    let mut failed = None;
    let coverage = Jobs { sequence, under: &under, threads }.run(|message| {
        match message {
            Message::Found(hit) => match findings.add(*hit) {
                Ok(Some(line)) => progress.say(&line),
                Ok(None) => {}
                Err(complaint) => failed = Some(complaint),
            },
            Message::Tick(played) => {
                progress.tick(played, &count(findings.len() as u64, "alarm", "alarms"));
            }
        }
        failed.is_none() && !interrupt::asked()
    });
    progress.end(coverage.stories, &count(findings.len() as u64, "alarm", "alarms"));
    if let Some(complaint) = failed {
        return Err(complaint);
    }
    let alarms = findings.into_sorted().into_iter();
    let alarms =
        alarms.map(|written| format!("{}, {}", written.hit.finding.headline, written.file.display()));
    Ok(Silence {
        claim,
        stories: coverage.stories,
        events: coverage.events,
        void: coverage.void,
        combinations: coverage.combinations(),
        alarms: alarms.collect(),
        too_few: enough != u64::MAX && coverage.stories < enough,
        seldom: if coverage.stories < enough { Vec::new() } else { coverage.thin(OFTEN) },
    })
}

impl Silence {
    /// What does not hold.
    pub(super) fn broken(&self) -> impl Iterator<Item = String> {
        let seldom = self.seldom.iter().map(|what| format!("less than {OFTEN} times: {what}"));
        self.alarms.iter().cloned().chain(seldom).map(|what| format!("{}: {what}", self.claim))
    }

    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        let (stories, void) = (count(self.stories, "story", "stories"), share(self.void, self.events));
        write!(text, "{}: {stories}, {void} of events void", self.claim)?;
        if self.combinations > 0 {
            let combinations = count(self.combinations as u64, "combination", "combinations");
            write!(text, ", {combinations} beside the default")?;
        }
        writeln!(text, ", {}", count(self.alarms.len() as u64, "alarm", "alarms"))?;
        if self.too_few {
            writeln!(text, "  too few stories to say whether they reach everything {OFTEN} times")?;
        }
        Ok(())
    }
}
