//! `shootdown replay`: stories played again, each under what it was found under.

use std::fmt::{self, Write};
use std::path::PathBuf;

use clap::Args;
use harness::coverage::Coverage;
use harness::runner::Runner;
use harness::story::{BACKENDS, Backends, Under};
use serde::Serialize;

use crate::Found;
use crate::complaint::Done;
use crate::finding::FindingJson;
use crate::output::{Answer, count, share};
use crate::story_files::Reading;
use crate::under::{self, UnderJson};

const EXAMPLES: &str = "\
Examples:
  shootdown replay findings             everything that was found
  shootdown replay corpus --bug none    the corpus, with no bug planted
  shootdown replay crash-0f3a --bug va-reuse-unflushed.a

Exit code 1 says that a story found something that its file does not say, or did not find what its
file says. A folder stands for the files in it and below it,
but for hidden ones and README files.";

/// Play stories again: files or folders, text or bytes
///
/// A story is played under the bug and the designs that its `under` lines name; flags go before them, point by point.
/// `--bug none` plants no bug, whatever the file says. A `finds` line of the file says what the story finds; it is compared unless
/// flags change what the story is played under. There is a line for each story, and a summary.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    /// The stories: files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    flags: under::Flags,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Replayed {
    stories: Vec<Played>,
    findings: usize,
    differ: usize,
    events: u64,
    void: u64,
    backends: Vec<OnBackend>,
}

#[derive(Serialize)]
struct Played {
    file: String,
    form: &'static str,
    under: UnderJson,
    /// What the file says that the story finds, if that counts here.
    finds: Option<String>,
    finding: Option<FindingJson>,
    /// Whether the story found what its file does not say, or did not find what it says.
    differs: bool,
    #[serde(skip)]
    name: String,
}

#[derive(Serialize)]
struct OnBackend {
    name: &'static str,
    stories: u64,
}

impl Replay {
    pub(crate) fn run(&self) -> Done<Found> {
        let files = self.reading.read_all(&self.paths)?;
        let mut planned = Vec::new();
        // Every name is checked before the first story is played.
        for file in &files {
            for under in self.flags.over(&file.path, &file.document.under)? {
                planned.push((file, under));
            }
        }
        let mut runners = Runners::default();
        let stories: Vec<_> = planned
            .into_iter()
            .map(|(file, under)| {
                let finding = runners.under(&under).play(&file.document.story, Backends::all());
                let finds = file.document.finds.clone().filter(|_| self.flags.are_none());
                Played {
                    differs: finding.as_ref().map(|finding| finding.headline.breach()) != finds,
                    finds,
                    file: file.path.display().to_string(),
                    form: file.form.name(),
                    under: (&under).into(),
                    finding: finding.as_ref().map(FindingJson::from),
                    name: under::describe(&under),
                }
            })
            .collect();
        let replayed = Replayed::new(stories, &runners.coverage());
        self.answer.give(&replayed, |text| replayed.write(text))?;
        Ok(if replayed.differ > 0 { Found::Something } else { Found::Nothing })
    }
}

/// One for each thing that stories are played under: to build one costs more than to play many stories.
#[derive(Default)]
struct Runners(Vec<(Under, Runner)>);

impl Runners {
    fn under(&mut self, wanted: &Under) -> &mut Runner {
        let place = self.0.iter().position(|(under, _)| under == wanted).unwrap_or_else(|| {
            self.0.push((wanted.clone(), under::runner(wanted)));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    fn coverage(&self) -> Coverage {
        let mut all = Coverage::default();
        self.0.iter().for_each(|(_, runner)| all.merge(runner.coverage()));
        all
    }
}

impl Replayed {
    fn new(stories: Vec<Played>, coverage: &Coverage) -> Self {
        let on_backend = |(backend, name)| OnBackend { name, stories: coverage.on(backend).stories };
        Self {
            findings: stories.iter().filter(|played| played.finding.is_some()).count(),
            differ: stories.iter().filter(|played| played.differs).count(),
            stories,
            events: coverage.events,
            void: coverage.void,
            backends: BACKENDS.into_iter().map(on_backend).collect(),
        }
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        for Played { file, finding, finds, differs, name, .. } in &self.stories {
            let under = if name.is_empty() { String::new() } else { format!(" ({name})") };
            let (word, finding) = match finding {
                None => (if *differs { "differs" } else { "ok" }, String::new()),
                Some(found) => {
                    let word = match finds {
                        None => "finding",
                        Some(_) if *differs => "differs",
                        Some(_) => "as told",
                    };
                    (word, format!(": {}", found.headline))
                }
            };
            writeln!(text, "{word:<9}{file}{under}{finding}")?;
            if let Some(finds) = finds.as_ref().filter(|_| *differs) {
                let found = if finding.is_empty() { "; found nothing" } else { "" };
                writeln!(text, "         expected, as the file says: {finds}{found}")?;
            }
        }
        write!(text, "{}", count(self.stories.len() as u64, "story", "stories"))?;
        for backend in &self.backends {
            write!(text, ", {} on {}", backend.stories, backend.name)?;
        }
        write!(text, "; {} of events void; ", share(self.void, self.events))?;
        writeln!(text, "{}", count(self.findings as u64, "finding", "findings"))
    }
}
