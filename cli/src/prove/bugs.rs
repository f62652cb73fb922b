//! Every known bug is found from nothing, and minimized to hardly more than its witness.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::catalogue::{Bug, Selection};
use harness::checks::Checks;
use harness::headline::Headline;
use harness::minimize::{Minimized, minimize};
use harness::runner::Runner;
use harness::story::{BACKENDS, Backends, Document, Story, Under};
use serde::Serialize;

use crate::complaint::Done;
use crate::interrupt;
use crate::keep::Folder;
use crate::output::count;
use crate::progress::{End, Progress};
use crate::run::sequence::Sequence;

use super::broke;

/// How often the progress is told.
const TICK: Duration = Duration::from_millis(100);

/// A finding as in the witness may have this many events more than the witness.
const MORE: usize = 1;

/// How much is played for each bug.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The search must find the bug within this many stories of a seed.
    pub(super) tries: u64,
    /// This many stories are played for what else the bug does.
    pub(super) few: u64,
    /// From 1 to this.
    pub(super) seeds: u64,
}

/// What was proved of a bug.
#[derive(Debug, Serialize)]
pub(super) struct Proved {
    bug: &'static str,
    backends: Vec<&'static str>,
    /// Events of its witness.
    witness: usize,
    /// The seeds, each with the fewest events to which a finding as in the witness was minimized.
    seeds: Vec<Option<usize>>,
    /// What else was found, and how many events that takes at most.
    others: Vec<Other>,
    /// What does not hold.
    #[serde(skip)]
    pub(super) broken: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Other {
    signature: String,
    events: usize,
}

/// All of these, by several threads: what is proved of a bug does not depend on which of them proves it.
pub(super) fn all(bugs: &[&'static Bug], pace: Pace, threads: usize, folder: &Folder) -> Done<Vec<Proved>> {
    let (next, played) = (AtomicUsize::new(0), AtomicU64::new(0));
    let proved = Mutex::new(Vec::new());
    let threads = NonZero::new(threads.min(bugs.len())).map_or(1, NonZero::get);
    let mut progress = Progress::new("every known bug is found", End::Open);
    thread::scope(|scope| {
        let work = || -> Done<()> {
            while let Some(bug) =
                bugs.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !interrupt::asked())
            {
                let one = Prover { bug, runner: runner(bug), played: &played }.prove(pace, folder)?;
                proved.lock().map_err(|_| broke(bug.name))?.push(one);
            }
            Ok(())
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while running.iter().any(|thread| !thread.is_finished()) {
            thread::sleep(TICK);
            let far = proved.lock().map_or(0, |proved| proved.len());
            progress.tick(played.load(Ordering::Relaxed), &format!("{far} of {} bugs", bugs.len()));
        }
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| broke("a bug"))?)
    })?;
    let mut proved = proved.into_inner().map_err(|_| broke("the bugs"))?;
    progress.end(played.into_inner(), &count(proved.len() as u64, "bug", "bugs"));
    proved.sort_by_key(|one| bugs.iter().position(|bug| bug.name == one.bug));
    Ok(proved)
}

fn runner(bug: &Bug) -> Runner {
    let selection = Selection::all(&under(bug)).expect("a known bug").swap_remove(0);
    Runner::new(selection.setup(), Checks::default())
}

fn under(bug: &Bug) -> Under {
    Under { bug: Some(bug.name.to_owned()), designs: Vec::new() }
}

struct Prover<'a> {
    bug: &'static Bug,
    runner: Runner,
    played: &'a AtomicU64,
}

impl Prover<'_> {
    fn prove(mut self, pace: Pace, folder: &Folder) -> Done<Proved> {
        let (bug, finds) = (self.bug, self.bug.finds());
        let on = BACKENDS.iter().filter(|(backend, _)| bug.shows_on.contains(*backend));
        let mut proved = Proved {
            bug: bug.name,
            backends: on.map(|(_, name)| *name).collect(),
            witness: bug.witness().story.events.len(),
            seeds: Vec::new(),
            others: Vec::new(),
            broken: Vec::new(),
        };
        for seed in (1..=pace.seeds).take_while(|_| !interrupt::asked()) {
            let mut fewest = None;
            for story in self.search(seed, pace, &finds) {
                let Some(small) = self.minimize(&story) else { continue };
                let (events, headline) = (small.story.events.len(), &small.finding.headline);
                if headline.breach() != finds {
                    proved.takes_other(headline.signature(), events);
                    continue;
                }
                fewest = Some(fewest.map_or(events, |fewest: usize| fewest.min(events)));
                if events > proved.witness + MORE {
                    let document =
                        Document { story: small.story, under: under(bug), finds: Some(finds.clone()) };
                    let text = document.to_string();
                    let (file, _) = folder.keep(&format!("long-{}", bug.name), text.as_bytes(), "story")?;
                    let witness = proved.witness;
                    proved.breaks(format!(
                        "seed {seed} minimized to {events} events, the witness has {witness}: {}",
                        file.display()
                    ));
                }
            }
            if fewest.is_none() && !interrupt::asked() {
                proved.breaks(format!("not found with seed {seed}"));
            }
            proved.seeds.push(fewest);
        }
        for (backend, name) in BACKENDS.iter().filter(|(backend, _)| !bug.shows_on.contains(*backend)) {
            let mut seen = None;
            self.play(1, *backend, pace.tries, |number, _, headline| {
                seen = Some(format!(
                    "seen on {name}, which cannot see it: {headline} in story {number} of seed 1"
                ));
                false
            });
            if let Some(what) = seen {
                proved.breaks(what);
            }
        }
        Ok(proved)
    }

    /// The first story of each headline: among a few, and until there is one as in the witness.
    fn search(&mut self, seed: u64, pace: Pace, finds: &str) -> Vec<Story> {
        let (mut known, mut stories, mut is_found) = (BTreeSet::new(), Vec::new(), false);
        let mut last = 0;
        self.play_while(seed, Backends::all(), pace.tries.max(pace.few), |number, found| {
            last = number + 1;
            if let Some((story, headline)) = found {
                is_found |= headline.breach() == finds;
                if known.insert(headline.clone()) {
                    stories.push(story.clone());
                }
            }
            last < pace.few || !is_found && last < pace.tries
        });
        stories
    }

    /// Plays the stories of a seed, as `run` does; `found` hears of each that finds something, and may say that it is enough.
    fn play(
        &mut self,
        seed: u64,
        on: Backends,
        most: u64,
        mut found: impl FnMut(u64, &Story, &Headline) -> bool,
    ) {
        self.play_while(seed, on, most, |number, finding| {
            finding.is_none_or(|(story, headline)| found(number, story, headline))
        });
    }

    fn play_while(
        &mut self,
        seed: u64,
        on: Backends,
        most: u64,
        mut played: impl FnMut(u64, Option<(&Story, &Headline)>) -> bool,
    ) {
        let (sequence, mut story) = (Sequence::new(seed, on, Some(most)), Story::default());
        for mut chunk in (0..).map_while(|number| sequence.chunk(number)) {
            for number in chunk.first..chunk.first + chunk.count {
                chunk.generator.next(&mut story);
                let finding = self.runner.play(&story, on);
                self.played.fetch_add(1, Ordering::Relaxed);
                let found = finding.as_ref().map(|finding| (&story, &finding.headline));
                if !played(number, found) || interrupt::asked() {
                    return;
                }
            }
        }
    }

    fn minimize(&mut self, story: &Story) -> Option<Minimized> {
        let small = minimize(&mut self.runner, story, Backends::all(), &mut |_| !interrupt::asked())?;
        (!small.interrupted).then_some(small)
    }
}

impl Proved {
    fn breaks(&mut self, what: impl fmt::Display) {
        self.broken.push(format!("{}: {what}", self.bug));
    }

    fn takes_other(&mut self, signature: String, events: usize) {
        match self.others.iter_mut().find(|other| other.signature == signature) {
            Some(other) => other.events = other.events.max(events),
            None => self.others.push(Other { signature, events }),
        }
    }

    /// The head of the table.
    pub(super) fn head(text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n| bug | shows on | events of the witness | minimized, by seed | what else was found: events |"
        )?;
        writeln!(text, "|---|---|---|---|---|")
    }

    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        let seeds: Vec<_> = self
            .seeds
            .iter()
            .map(|events| events.map_or("-".to_owned(), |events| events.to_string()))
            .collect();
        let mut others: Vec<_> = self.others.iter().map(|other| other.events).collect();
        others.sort_unstable();
        let others: Vec<_> = others.iter().map(usize::to_string).collect();
        let Self { bug, witness, .. } = self;
        let (on, seeds, others) = (self.backends.join(", "), seeds.join(", "), others.join(", "));
        writeln!(text, "| `{bug}` | {on} | {witness} | {seeds} | {others} |")
    }
}
