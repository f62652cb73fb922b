//! `shootdown explain`: how a finding came about.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use harness::headline::Finding;
use harness::story::{Backends, Document, Story, Under};
use serde::Serialize;

use crate::Found;
use crate::complaint::Done;
use crate::finding::FindingJson;
use crate::output::Answer;
use crate::story_files::{self, StoryFile};
use crate::under::{self, UnderJson};

const EXAMPLES: &str = "\
Examples:
  shootdown explain reused.story
  shootdown explain crash-0f3a --bug va-reuse-unflushed.a

Exit code 1 says that there is a finding, 0 that the story raises no alarm.";

/// Say how a finding came about: headline, marked story, and how to replay it
///
/// The story is shown with the event marked in which the finding was seen. It is played under what its `under` lines
/// name; flags go before them. It reads best when it was minimized before.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The story of a finding: a file, text or bytes
    file: PathBuf,
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
    replay: String,
}

impl Explain {
    pub(crate) fn run(&self) -> Done<Found> {
        let file = story_files::read(&self.file)?;
        let unders = self.flags.over(&file.path, &file.document.under)?;
        let story = &file.document.story;
        let play = |under: &Under| under::runner(under).play(story, Backends::all());
        let found = unders.iter().find_map(|under| Some((play(under)?, under)));
        let (finding, under) = match found {
            Some((finding, under)) => (Some(finding), under),
            None => (None, &unders[0]),
        };
        let explained = Explained {
            file: file.path.display().to_string(),
            under: under.into(),
            finding: finding.as_ref().map(FindingJson::from),
            story: Document { story: story.clone(), under: under.clone() }.to_string(),
            replay: replay(&file, under),
        };
        self.answer.give(&explained, |text| match &finding {
            Some(finding) => explained.write(text, finding, story, under),
            None => writeln!(text, "{}: raises no alarm{}", explained.file, played_under(under)),
        })?;
        Ok(if finding.is_some() { Found::Something } else { Found::Nothing })
    }
}

impl Explained {
    fn write(&self, text: &mut String, finding: &Finding, story: &Story, under: &Under) -> fmt::Result {
        writeln!(text, "{}\n  {}\n", finding.headline, finding.detail)?;
        write_marked(text, story, under, finding.event)?;
        writeln!(text, "\nTo replay it:\n  {}", self.replay)
    }
}

/// The story as text, with the event marked in which something was seen; none is what comes after the last one.
fn write_marked(text: &mut String, story: &Story, under: &Under, event: Option<u16>) -> fmt::Result {
    let head = Document { story: Story { header: story.header, events: Vec::new() }, under: under.clone() };
    head.to_string().lines().try_for_each(|line| writeln!(text, "    {line}"))?;
    for (number, line) in story.events.iter().enumerate() {
        let mark = if event.map(usize::from) == Some(number) { '>' } else { ' ' };
        writeln!(text, "  {mark} {line}")?;
    }
    if event.is_none() {
        writeln!(text, "  > (the end)")?;
    }
    Ok(())
}

fn played_under(under: &Under) -> String {
    let under = under::describe(under);
    if under.is_empty() { under } else { format!(" under {under}") }
}

/// The command that plays the story again; with flags where the file does not say what it was played under.
fn replay(file: &StoryFile, under: &Under) -> String {
    let flags = if file.document.under == *under { String::new() } else { under::as_flags(under) };
    format!("cargo run --release -p shootdown -- replay {}{flags}", quoted(&file.path))
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if path.chars().all(plain) && !path.starts_with('-') {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
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
    }
}
