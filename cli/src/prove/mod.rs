//! `shootdown prove`: the claims that take too long for every change.

mod alarms;
mod bugs;

use std::fmt::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use harness::catalogue::{BUGS, Bug, named};
use serde::Serialize;

use crate::Found;
use crate::complaint::{Complaint, Done};
use crate::interrupt;
use crate::keep::Folder;
use crate::output::{Answer, count};
use crate::run;

use alarms::Silence;
use bugs::Proved;

const EXAMPLES: &str = "\
Examples:
  shootdown prove --jobs 2                               all of it, about forty minutes on two cores
  shootdown prove --part bugs --bug kernel-table-sync    one incident, each variant of it
  shootdown prove --part default --stories 100000        a first look after a change

Ctrl-C ends it with what was proved by then; a second one ends it at once. Exit code 0 says that all of
it holds, and 1 that something does not, or was not asked to its end.";

/// Prove that no correct kernel raises an alarm, and that every known bug is found
///
/// Three parts. `default`: the default designs raise no alarm, and two million of their stories reach everything a hundred times.
/// `sampled`: no combination of designs that is held to be correct raises one, on both backends side by side and on each alone.
/// `bugs`: for each seed every known bug is found from nothing, and minimized to one event more than its witness at most; it is
/// silent on the backends that cannot see it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prove {
    /// Prove this part; may be given for several. Without it all parts are proved, and with --bug the last one
    #[arg(long = "part", value_name = "PART")]
    parts: Vec<Part>,
    /// How many stories the default designs are played on
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = run::from_one)]
    stories: u64,
    /// How many stories choose designs of their own
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = run::from_one)]
    sampled: u64,
    /// Within how many stories of each seed a bug is to be found
    #[arg(long, value_name = "N", default_value_t = 400_000, value_parser = run::from_one)]
    tries: u64,
    /// How many stories of each seed are played for what else a bug does
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = run::from_one)]
    few: u64,
    /// For bugs, the seeds from 1 to this
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = run::from_one)]
    seeds: u64,
    /// Prove this bug alone, each of its variants where the letter is left out; may be given for several
    #[arg(long = "bug", value_name = "NAME", value_parser = bug)]
    bugs: Vec<Variants>,
    /// So many threads play, at most 256
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = run::jobs)]
    jobs: usize,
    /// The folder that stories are written to which show that something does not hold, made when there is one
    #[arg(long, value_name = "DIR", default_value = "findings")]
    out: PathBuf,
    #[command(flatten)]
    answer: Answer,
}

/// A part of the proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    Default,
    Sampled,
    Bugs,
}

type Variants = &'static [&'static Bug];

fn bug(name: &str) -> Result<Variants, String> {
    named(name).map(|bugs| &*bugs.leak()).map_err(|unknown| unknown.to_string())
}

/// What was proved, and what does not hold.
#[derive(Debug, Default, Serialize)]
struct Proof {
    silent: Vec<Silence>,
    bugs: Vec<Proved>,
    interrupted: bool,
    broken: Vec<String>,
}

impl Prove {
    pub(crate) fn run(&self) -> Done<Found> {
        let folder = Folder::new(&self.out)?;
        interrupt::catch()?;
        let mut proof = Proof::default();
        let asks = |part| match &self.parts[..] {
            [] => self.bugs.is_empty() || part == Part::Bugs,
            parts => parts.contains(&part),
        };
        if !self.bugs.is_empty() && !asks(Part::Bugs) {
            return Err(Complaint::new(
                "--bug is about the part bugs: expected --part bugs, or no --part".to_owned(),
            ));
        }
        if asks(Part::Default) {
            proof.takes_silence(alarms::by_default(self.stories, self.jobs, &folder)?);
        }
        if asks(Part::Sampled) {
            for share in alarms::SHARES {
                if !interrupt::asked() {
                    proof.takes_silence(alarms::by_sample(share, self.sampled, self.jobs, &folder)?);
                }
            }
        }
        if asks(Part::Bugs) && !interrupt::asked() {
            let bugs: Vec<_> = match &self.bugs[..] {
                [] => BUGS.iter().collect(),
                some => some.iter().flat_map(|variants| variants.iter().copied()).collect(),
            };
            let pace = bugs::Pace { tries: self.tries, few: self.few, seeds: self.seeds };
            for proved in bugs::all(&bugs, pace, self.jobs, &folder)? {
                proof.broken.extend_from_slice(&proved.broken);
                proof.bugs.push(proved);
            }
        }
        proof.interrupted = interrupt::asked();
        self.answer.give(&proof, |text| proof.write(text))?;
        let holds = proof.broken.is_empty() && !proof.interrupted;
        Ok(if holds { Found::Nothing } else { Found::Something })
    }
}

impl Proof {
    fn takes_silence(&mut self, silence: Silence) {
        self.broken.extend(silence.broken());
        self.silent.push(silence);
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        self.silent.iter().try_for_each(|silence| silence.write(text))?;
        if !self.bugs.is_empty() {
            Proved::head(text)?;
        }
        self.bugs.iter().try_for_each(|proved| proved.write(text))?;
        self.broken.iter().try_for_each(|broken| writeln!(text, "DOES NOT HOLD: {broken}"))?;
        let broken = count(self.broken.len() as u64, "claim does not hold", "claims do not hold");
        match (self.interrupted, self.broken.is_empty()) {
            (false, true) => writeln!(text, "all of this holds"),
            (false, false) => writeln!(text, "{broken}"),
            (true, true) => writeln!(text, "interrupted: nothing failed so far, and the rest was not proved"),
            (true, false) => writeln!(text, "interrupted: {broken}, and the rest was not proved"),
        }
    }
}

/// A panic of the harness is no answer.
fn broke(what: &str) -> Complaint {
    Complaint::new(format!("the harness broke while it proved {what}"))
}
