//! `shootdown explain`: how a finding came about.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::lanes::{self, Report};
use harness::story::{Backends, Document, Under};
use serde::Serialize;

use crate::Found;
use crate::complaint::Done;
use crate::finding::FindingJson;
use crate::output::Answer;
use crate::story_files::{Reading, StoryFile};
use crate::under::{self, UnderJson};

const EXAMPLES: &str = "\
Examples:
  shootdown explain reused.story
  shootdown explain crash-0f3a --bug va-reuse-unflushed.a

Exit code 1 says that there is a finding, 0 that the story raises no alarm.";

/// Say how a finding came about: headline, marked story, lanes, and how to replay it
///
/// The story is shown with the event marked in which the finding was seen. The lanes have a column for each CPU and a
/// line for each access that matters. The story is played under what its `under` lines name; flags go before them. It
/// reads best when it was minimized before.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The story of a finding: a file, text or bytes
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    flags: under::Flags,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Explained {
    file: String,
    under: UnderJson,
    finding: Option<FindingJson>,
    story: String,
    lanes: Vec<LanesJson>,
    replay: String,
}

#[derive(Serialize)]
struct LanesJson {
    backend: &'static str,
    found: bool,
    text: String,
}

impl Explain {
    pub(crate) fn run(&self) -> Done<Found> {
        let file = self.reading.read(&self.file)?;
        let unders = self.flags.over(&file.path, &file.document.under)?;
        let explain = |under: &Under| {
            let story = &file.document.story;
            lanes::explain(&mut under::runner(under), story, Backends::all(), under, None)
        };
        let found = unders.iter().find_map(|under| Some((explain(under)?, under)));
        let (mut report, under) = match found {
            Some((report, under)) => (Some(report), under),
            None => (None, &unders[0]),
        };
        let replay = replay(&file, self.reading, under);
        if let Some(report) = &mut report {
            report.replay.clone_from(&replay);
        }
        let explained = Explained {
            file: file.path.display().to_string(),
            under: under.into(),
            finding: report.as_ref().map(|report| (&report.finding).into()),
            story: Document { story: file.document.story.clone(), under: under.clone(), finds: None }
                .to_string(),
            lanes: report.iter().flat_map(lanes_of).collect(),
            replay,
        };
        self.answer.give(&explained, |text| match &report {
            Some(report) => writeln!(text, "{report}"),
            None => writeln!(text, "{}: raises no alarm{}", explained.file, played_under(under)),
        })?;
        Ok(if report.is_some() { Found::Something } else { Found::Nothing })
    }
}

fn lanes_of(report: &Report) -> impl Iterator<Item = LanesJson> {
    report.lanes.iter().map(|lanes| LanesJson {
        backend: lanes.backend,
        found: lanes.found,
        text: lanes.text.clone(),
    })
}

fn played_under(under: &Under) -> String {
    let under = under::describe(under);
    if under.is_empty() { under } else { format!(" under {under}") }
}

/// The command that plays the story again; with flags where the file does not say what it was played under.
fn replay(file: &StoryFile, reading: Reading, under: &Under) -> String {
    let bytes = if reading.bytes { " --bytes" } else { "" };
    let flags = if file.document.under == *under { String::new() } else { under::as_flags(under) };
    format!("cargo run --release -p shootdown -- replay {}{bytes}{flags}", quoted(&file.path))
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    // A name that looks like a flag is led by its folder.
    let path = if path.starts_with('-') { format!("./{path}") } else { path };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::quoted;

    #[test]
    fn paths_are_quoted_where_a_shell_would_take_them_for_something_else() {
        let quoted = |path| quoted(Path::new(path));
        assert_eq!(quoted("out/id:000000,sig:06"), "out/id:000000,sig:06");
        assert_eq!(quoted("my stories/it's"), r"'my stories/it'\''s'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
        assert_eq!(quoted("--bytes"), "./--bytes");
    }
}
