//! The lanes report: how a finding came about, one column for each CPU, one line for each access that matters.
//!
//! The story is played again with everything recorded, and what does not touch the finding is left out: what remains
//! is who changed the entry, who still holds it, and which flush reached whom, with the line of code that did it. Other
//! backends that play the story follow, for the places where they differ. A report must never change what is found.

mod columns;
mod concern;
mod holders;
mod words;

use core::fmt;

use crate::headline::Finding;
use crate::runner::{Recording, Runner};
use crate::story::{Backends, Document, Resolved, Story, Under};

use concern::Concern;

/// All there is to say about a finding.
#[derive(Clone, Debug)]
pub struct Report {
    /// The finding.
    pub finding: Finding,
    /// The story, and what it was played under.
    pub document: Document,
    /// The lanes of each backend that played it, as text: the one with the finding first.
    pub lanes: Vec<Lanes>,
    /// The command that plays it again.
    pub replay: String,
}

/// The lanes of one backend.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// The backend.
    pub backend: &'static str,
    /// Whether it is the one with the finding.
    pub found: bool,
    /// The text.
    pub text: String,
}

/// Explains what a story finds on these backends; none if it finds nothing. `file` is where the story is kept, for the
/// command that plays it again.
pub fn explain(
    runner: &mut Runner,
    story: &Story,
    backends: Backends,
    under: &Under,
    file: Option<&str>,
) -> Option<Report> {
    let resolved = story.resolve();
    let (recordings, finding) = runner.record(&resolved, backends);
    let finding = finding?;
    let mut lanes = Vec::new();
    if let Some(of) = recordings.iter().find(|recording| recording.name == finding.headline.backend) {
        let concern = Concern::of(&finding, of);
        lanes.push(Lanes { backend: of.name, found: true, text: draw(of, &concern, &resolved) });
        for other in recordings.iter().filter(|other| other.backend != of.backend) {
            let text = draw(other, &concern.on(of, other), &resolved);
            lanes.push(Lanes { backend: other.name, found: false, text });
        }
    }
    let replay = format!("shootdown replay {}", file.unwrap_or("FILE"));
    let document = Document { story: story.clone(), under: under.clone(), finds: None };
    Some(Report { finding, document, lanes, replay })
}

fn draw(recording: &Recording, concern: &Concern, resolved: &Resolved) -> String {
    let lines = columns::lines(recording, concern);
    let mut text = concern.legend(recording);
    if !text.is_empty() {
        text.push(String::new());
    }
    text.extend(columns::draw(&lines, resolved, recording));
    text.extend(holders::at_the_end(recording, concern).iter().map(|line| format!("  {line}")));
    text.join("\n") + "\n"
}

impl Report {
    /// The story with the event marked that found something.
    pub fn marked_story(&self) -> String {
        let text = self.document.to_string();
        let before_events = text.lines().count() - self.document.story.events.len();
        let marked = self.finding.event.map(|event| before_events + usize::from(event));
        let mut lines: Vec<_> = text
            .lines()
            .enumerate()
            .map(|(number, line)| format!("{}{line}", if Some(number) == marked { ">>  " } else { "    " }))
            .collect();
        if marked.is_none() {
            lines.push(">>  after the last event".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n  {}\n", self.finding.headline, self.finding.detail)?;
        writeln!(f, "{}", self.marked_story())?;
        for lanes in &self.lanes {
            if lanes.found {
                writeln!(f, "How it came about on {}:\n", lanes.backend)?;
            } else {
                writeln!(f, "The same story on {}:\n", lanes.backend)?;
            }
            writeln!(f, "{}", lanes.text)?;
        }
        write!(f, "To play it again: {}", self.replay)
    }
}
