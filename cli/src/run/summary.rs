//! What a run came to, for standard output: the same for the same seed and number of stories.

use std::fmt::{self, Write};

use harness::coverage::Coverage;
use harness::story::{BACKENDS, Under};
use serde::Serialize;

use crate::finding::FindingJson;
use crate::output::{count, share};
use crate::under::{self, UnderJson};

use super::findings::{Findings, Written};

/// What comes up less often than this is listed as thin.
const OFTEN: u64 = 100;

/// One run for each variant of the bug.
#[derive(Debug, Serialize)]
pub(super) struct Summaries {
    pub(super) runs: Vec<Summary>,
}

/// What one run came to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    under: UnderJson,
    seed: u64,
    interrupted: bool,
    stories: u64,
    events: u64,
    void: u64,
    /// Combinations of designs that stories chose, the default not counted.
    combinations: usize,
    backends: Vec<Played>,
    findings: Vec<FindingInFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thin: Option<Vec<String>>,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    coverage: Option<Coverage>,
}

#[derive(Debug, Serialize)]
struct Played {
    name: &'static str,
    stories: u64,
}

#[derive(Debug, Serialize)]
struct FindingInFile {
    #[serde(flatten)]
    finding: FindingJson,
    /// The operations that met it, by name.
    met_by: Vec<&'static str>,
    story: u64,
    file: String,
}

impl Summary {
    pub(super) fn new(
        seed: u64,
        under: &Under,
        interrupted: bool,
        coverage: Coverage,
        findings: Findings<'_>,
        with_coverage: bool,
    ) -> Self {
        let played = |(backend, name)| Played { name, stories: coverage.on(backend).stories };
        Self {
            under: under.into(),
            seed,
            interrupted,
            stories: coverage.stories,
            events: coverage.events,
            void: coverage.void,
            combinations: coverage.combinations(),
            backends: BACKENDS.into_iter().map(played).collect(),
            findings: findings.into_sorted().into_iter().map(FindingInFile::from).collect(),
            thin: with_coverage.then(|| coverage.thin(OFTEN)),
            name: under::describe(under),
            coverage: with_coverage.then_some(coverage),
        }
    }

    pub(super) fn found(&self) -> bool {
        !self.findings.is_empty()
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        if !self.name.is_empty() {
            write!(text, "{}, ", self.name)?;
        }
        let ended = if self.interrupted { ", interrupted" } else { "" };
        writeln!(text, "seed {}: {}{ended}", self.seed, count(self.stories, "story", "stories"))?;
        for backend in &self.backends {
            writeln!(text, "  {:<7} {}", backend.name, count(backend.stories, "story", "stories"))?;
        }
        writeln!(text, "  {} events, {} void", self.events, share(self.void, self.events))?;
        if self.combinations > 0 {
            let combinations = count(self.combinations as u64, "combination", "combinations");
            writeln!(text, "  {combinations} of designs beside the default")?;
        }
        writeln!(text, "  {}", count(self.findings.len() as u64, "finding", "findings"))?;
        for finding in &self.findings {
            writeln!(text, "  story {}: {}", finding.story, finding.finding.headline)?;
            if finding.met_by.len() > 1 {
                writeln!(text, "    met by {}", finding.met_by.join(", "))?;
            }
            writeln!(text, "    {}", finding.file)?;
        }
        let (Some(coverage), Some(thin)) = (&self.coverage, &self.thin) else {
            return Ok(());
        };
        write!(text, "\n{coverage}\n")?;
        if thin.is_empty() {
            return writeln!(text, "Everything came up {OFTEN} times or more.");
        }
        writeln!(text, "Less than {OFTEN} times:")?;
        thin.iter().try_for_each(|line| writeln!(text, "  {line}"))
    }
}

impl Summaries {
    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        self.runs.iter().try_for_each(|run| run.write(text))
    }
}

impl From<Written> for FindingInFile {
    fn from(written: Written) -> Self {
        Self {
            finding: (&written.hit.finding).into(),
            met_by: written.met_by.into_iter().collect(),
            story: written.hit.number,
            file: written.file.display().to_string(),
        }
    }
}
