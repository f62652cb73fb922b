//! `shootdown minimize`: the story of a finding, as short and plain as it gets.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use harness::minimize::{Minimized, minimize};
use harness::story::{Backends, Document, MAX_TEXT, Story, Under};
use serde::Serialize;

use crate::complaint::{Complaint, Done};
use crate::finding::FindingJson;
use crate::interrupt;
use crate::keep;
use crate::output::{Answer, Format, count, remark};
use crate::progress::{End, Progress};
use crate::story_files::Reading;
use crate::under::{self, UnderJson};

const EXAMPLES: &str = "\
Examples:
  shootdown minimize findings/rule-4-a1b2c3d4.story -o reused.story
  shootdown minimize crash-0f3a --bug va-reuse-unflushed.a > reused.story

Exit code 0 says that the story is there, and 2 that there was nothing to minimize, or that the story
could not be written to FILE and is on standard output instead. Ctrl-C ends it early, with the
shortest story so far.";

/// Make the story of a finding as short and plain as it gets
///
/// Events, CPUs, operands, pauses, designs and header are simplified while the same headline recurs. Another operation on
/// another CPU may come to meet the finding. The story comes as text, on standard output or in a file, with `under` lines
/// for the bug and for those designs that the finding needs. A story is played under what its own `under` lines name;
/// flags go before them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Minimize {
    /// The story of a finding: a file, text or bytes
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    flags: under::Flags,
    /// The file to write to, whole or not at all, and never over a different one; without it, or where that cannot be done,
    /// standard output
    #[arg(short, long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Answered {
    file: String,
    under: UnderJson,
    finding: FindingJson,
    events_before: usize,
    events: usize,
    interrupted: bool,
    story: String,
    written: Option<String>,
    /// What it was played under at first, and the finding does not need.
    #[serde(skip)]
    not_needed: Under,
}

impl Minimize {
    pub(crate) fn run(&self) -> Done<()> {
        let file = self.reading.read(&self.file)?;
        let unders = self.flags.over(&file.path, &file.document.under)?;
        if let Some(out) = &self.out {
            // A story as we write it may be the one that this will come to; that shows in the end, when nothing may be lost.
            keep::must_be_free(out, MAX_TEXT, is_as_we_write_it)?;
        }
        interrupt::catch()?;
        let story = &file.document.story;
        let found = unders.into_iter().find_map(|under| Some((shrink(story, &under)?, under)));
        let (minimized, under) = found.ok_or_else(|| {
            let place = self.file.display();
            Complaint::new(format!(
                "nothing to minimize: {place} raises no alarm; expected the story of a finding"
            ))
        })?;
        let (needed, left_out) =
            under.designs.iter().cloned().partition(|design| minimized.asked_for.contains(design));
        let document = Document {
            story: minimized.story.clone(),
            under: Under { designs: needed, ..under },
            finds: Some(minimized.finding.headline.breach()),
        };
        let mut answered = Answered {
            file: self.file.display().to_string(),
            under: (&document.under).into(),
            finding: (&minimized.finding).into(),
            events_before: story.events.len(),
            events: minimized.story.events.len(),
            interrupted: minimized.interrupted,
            story: document.to_string(),
            written: None,
            not_needed: Under { bug: None, designs: left_out },
        };
        // It may have taken hours: what cannot be written is said on standard output instead, and where that is full on
        // standard error.
        let mut kept = Ok(());
        if let Some(out) = &self.out {
            match keep::keep(out, answered.story.as_bytes()) {
                Ok(_) => answered.written = Some(out.display().to_string()),
                Err(complaint) => kept = Err(complaint),
            }
        }
        answered.say_what_it_came_to(self.answer.format);
        let given = self.answer.give(&answered, |text| match &answered.written {
            None => text.write_str(&answered.story),
            Some(out) => writeln!(text, "{} -> {out}", answered.file),
        });
        if given.is_err() && answered.written.is_none() {
            remark(answered.story.trim_end());
        }
        given?;
        kept
    }
}

/// Whether a file may have been written by us.
fn is_as_we_write_it(content: &[u8]) -> bool {
    Document::read(content).is_ok_and(|document| document.to_string().as_bytes() == content)
}

fn shrink(story: &Story, under: &Under) -> Option<Minimized> {
    let mut runner = under::runner(under);
    let mut progress = Progress::new(&under::describe(under), End::Open);
    let far = |events: usize| format!("down to {}", count(events as u64, "event", "events"));
    let minimized = minimize(&mut runner, story, Backends::all(), &mut |step| {
        progress.tick(step.played, &far(step.events));
        !interrupt::asked()
    })?;
    progress.end(runner.coverage().stories, &far(minimized.story.events.len()));
    Some(minimized)
}

impl Answered {
    /// For people, beside the story: on standard output there is the story alone, so that it can go to a file.
    fn say_what_it_came_to(&self, format: Format) {
        if format == Format::Text {
            let (before, events) = (self.events_before, count(self.events as u64, "event", "events"));
            let interrupted = if self.interrupted { ", interrupted" } else { "" };
            remark(format_args!("{}\nfrom {before} to {events}{interrupted}", self.finding.headline));
            if !self.not_needed.designs.is_empty() {
                remark(format_args!("not needed: {}", under::describe(&self.not_needed)));
            }
        }
    }
}
