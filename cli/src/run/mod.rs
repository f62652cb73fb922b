//! `shootdown run`: random search without a fuzzing engine.

pub(crate) mod findings;
pub(crate) mod jobs;
pub(crate) mod sequence;
mod summary;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use harness::headline::Headline;
use harness::story::{BACKENDS, Backends, Under};

use crate::Found;
use crate::complaint::Done;
use crate::interrupt;
use crate::keep::Folder;
use crate::output::{Answer, count};
use crate::progress::{End, Progress};
use crate::under;

use findings::Findings;
use jobs::{Jobs, Message};
use sequence::Sequence;
use summary::{Summaries, Summary};

const EXAMPLES: &str = "\
Examples:
  shootdown run --seconds 60                            all kernels as they are meant to be
  shootdown run --seconds 10 --bug va-reuse-unflushed   plant a bug, each variant in turn
  shootdown run --bug vb-dirty-order --until 'an alias is left in a TLB'
  shootdown run --stories 100000 --seed 7 --backends native --design drain=tables-only
  shootdown run --stories 2000000 --seed 1 --jobs 2 --coverage
  shootdown run --sample-designs --stories 5000000      every combination of designs that is correct

Without --stories or --seconds it runs until Ctrl-C, which ends any run with its summary; a second
one ends it at once. Story K of a seed is the same story whoever plays it, so what is printed and
written with --stories does not depend on --jobs. Exit code 1 says that there is a finding.";

/// Search for findings with random stories
///
/// Plays generated stories on every backend beside the reference until the limit or Ctrl-C. The first story of each
/// distinct finding is written as text, with `under` lines for the bug and the designs, so that replay, minimize and
/// explain need no flags. Findings are written whole or not at all, and never over a different file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// End after so many stories (for each variant of a bug)
    #[arg(long, value_name = "N", value_parser = from_one, conflicts_with = "seconds")]
    stories: Option<u64>,
    /// End after so many seconds (for each variant of a bug); how many stories that are depends on the machine
    #[arg(long, value_name = "S", value_parser = from_one)]
    seconds: Option<u64>,
    /// End at the first finding whose headline has this in it, with or without the operation, the backend and the CPU, like
    /// "rule 5 (drain): an alias is left in a TLB"
    #[arg(long, value_name = "TEXT")]
    until: Option<String>,
    /// Which stories are played
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// So many threads play, at most 256
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = jobs)]
    jobs: usize,
    /// The backends that play: native, xen, or both parted by a comma; without it all of them
    #[arg(long, value_name = "LIST", value_parser = backends)]
    backends: Option<Backends>,
    #[command(flatten)]
    flags: under::Flags,
    /// Each story chooses its own designs, where --bug and --design leave them open: a combination that is correct on
    /// the backends that play
    #[arg(long)]
    sample_designs: bool,
    /// The folder that findings are written to, made when there is one
    #[arg(long, value_name = "DIR", default_value = "findings")]
    out: PathBuf,
    /// Say too how often each operation, overlap, safety step and point came up, and what came up less than 100 times
    #[arg(long)]
    coverage: bool,
    #[command(flatten)]
    answer: Answer,
}

pub(crate) fn from_one(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a number from 1 on".to_owned())
}

pub(crate) fn jobs(text: &str) -> Result<usize, String> {
    const MOST: usize = 256;
    let jobs = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    jobs.ok_or_else(|| format!("expected a number from 1 to {MOST}"))
}

/// A list of backends.
pub(crate) fn backends(text: &str) -> Result<Backends, String> {
    text.split(',').try_fold(Backends::empty(), |all, name| {
        let known = BACKENDS.iter().find(|(_, known)| *known == name);
        let (backend, _) = known.ok_or_else(|| {
            let known: Vec<_> = BACKENDS.iter().map(|(_, known)| *known).collect();
            format!(
                "no backend \"{name}\"; expected one of {}, or several parted by commas",
                known.join(", ")
            )
        })?;
        Ok(all | *backend)
    })
}

impl Run {
    pub(crate) fn run(&self) -> Done<Found> {
        let unders = self.flags.alone()?;
        let folder = Folder::new(&self.out)?;
        interrupt::catch()?;
        let mut runs = Vec::new();
        for under in &unders {
            if interrupt::asked() {
                break;
            }
            runs.push(self.search(under, &folder)?);
        }
        let summaries = Summaries { runs };
        self.answer.give(&summaries, |text| summaries.write(text))?;
        Ok(if summaries.runs.iter().any(Summary::found) { Found::Something } else { Found::Nothing })
    }

    /// Whether a finding with this headline ends the run.
    fn seeks(&self, headline: &Headline) -> bool {
        self.until
            .as_ref()
            .is_some_and(|text| headline.breach().contains(text) || headline.to_string().contains(text))
    }

    fn search(&self, under: &Under, folder: &Folder) -> Done<Summary> {
        let sequence = Sequence::new(self.seed, self.backends.unwrap_or(Backends::all()), self.stories)
            .with_any_designs(self.sample_designs);
        // A time that no clock will show is no limit.
        let deadline =
            self.seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        let end = match (self.stories, self.seconds) {
            (Some(stories), _) => End::Stories(stories),
            (None, Some(seconds)) => End::Seconds(seconds),
            (None, None) => End::Open,
        };
        let mut progress = Progress::new(&under::describe(under), end);
        let far = |findings: &Findings<'_>| count(findings.len() as u64, "finding", "findings");
        let mut findings = Findings::new(folder, under);
        let jobs = Jobs { sequence, under, threads: self.jobs };
        let (mut interrupted, mut failed, mut sought) = (false, None, false);
        let coverage = jobs.run(|message| {
            match message {
                Message::Found(hit) => {
                    sought |= self.seeks(&hit.finding.headline);
                    match findings.add(*hit) {
                        Ok(Some(line)) => progress.say(&line),
                        Ok(None) => {}
                        Err(complaint) => failed = Some(complaint),
                    }
                }
                Message::Tick(played) => progress.tick(played, &far(&findings)),
            }
            interrupted |= interrupt::asked();
            !interrupted
                && !sought
                && failed.is_none()
                && deadline.is_none_or(|deadline| Instant::now() < deadline)
        });
        progress.end(coverage.stories, &far(&findings));
        match failed {
            Some(complaint) => Err(complaint),
            None => Ok(Summary::new(self.seed, under, interrupted, coverage, findings, self.coverage)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_parted_by_commas() {
        assert_eq!(backends("native"), Ok(Backends::NATIVE));
        assert_eq!(backends("xen,native"), Ok(Backends::NATIVE_AND_XEN));
        assert_eq!(backends("hyperv,kvm,xen,native"), Ok(Backends::all()));
        for wrong in ["", "native,", "vmware", "native xen"] {
            let message = backends(wrong).expect_err(wrong);
            assert!(message.contains("expected one of native, xen"), "{message}");
        }
    }
}
