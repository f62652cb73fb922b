//! `shootdown bugs`: the catalogue of known bugs.

use std::fmt::{self, Write};

use clap::Args;
use harness::catalogue::{BUGS, Bug, LEGAL, Legal};
use harness::story::BACKENDS;
use serde::Serialize;

use crate::complaint::Done;
use crate::output::Answer;

const EXAMPLES: &str = "\
Examples:
  shootdown bugs
  shootdown run --seconds 10 --bug va-reuse-unflushed.a    this variant
  shootdown run --seconds 10 --bug va-reuse-unflushed      each variant in turn";

/// List the known bugs, where each was seen, and what is changed to plant it
///
/// Each bug is planted with `--bug NAME`; a name without its letter stands for each of its variants in turn. It shows
/// on the backends that are listed with it, and on no other. Variants that the architecture allows come last: they are no bugs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bugs {
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Listed {
    bugs: Vec<BugJson>,
    legal: Vec<LegalJson>,
}

#[derive(Serialize)]
struct BugJson {
    name: &'static str,
    about: &'static str,
    source: &'static str,
    changes: Vec<String>,
    unless: Vec<String>,
    backends: Vec<&'static str>,
    finds: String,
    effects: Vec<String>,
}

#[derive(Serialize)]
struct LegalJson {
    name: &'static str,
    about: &'static str,
    why: &'static str,
    source: &'static str,
}

impl Bugs {
    pub(crate) fn run(&self) -> Done<()> {
        let listed = Listed {
            bugs: BUGS.iter().map(BugJson::from).collect(),
            legal: LEGAL.iter().map(LegalJson::from).collect(),
        };
        self.answer.give(&listed, |text| {
            listed.bugs.iter().enumerate().try_for_each(|(number, bug)| {
                if number > 0 {
                    writeln!(text)?;
                }
                bug.write(text)
            })?;
            writeln!(text, "\nLegal, and therefore no bug:")?;
            listed.legal.iter().try_for_each(|legal| legal.write(text))
        })
    }
}

impl From<&Bug> for BugJson {
    fn from(bug: &Bug) -> Self {
        let backends = BACKENDS.into_iter().filter(|(backend, _)| bug.shows_on.contains(*backend));
        Self {
            name: bug.name,
            about: bug.about,
            source: bug.source,
            changes: bug.changes(),
            unless: bug.exceptions(),
            backends: backends.map(|(_, name)| name).collect(),
            finds: bug.finds(),
            effects: bug.effects().collect(),
        }
    }
}

impl BugJson {
    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "{} (on {})", self.name, self.backends.join(", "))?;
        fill(text, "  ", self.about)?;
        fill(text, "  source:  ", self.source)?;
        fill(text, "  changed: ", &self.changes.join(", "))?;
        if !self.unless.is_empty() {
            fill(text, "  unless:  ", &self.unless.join(", "))?;
        }
        fill(text, "  finds:   ", &self.finds)?;
        self.effects.iter().try_for_each(|effect| fill(text, "  also:    ", effect))
    }
}

impl From<&Legal> for LegalJson {
    fn from(legal: &Legal) -> Self {
        Self { name: legal.name, about: legal.about, why: legal.why, source: legal.source }
    }
}

impl LegalJson {
    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\n{} (legal)", self.name)?;
        fill(text, "  ", self.about)?;
        fill(text, "  why:     ", self.why)?;
        fill(text, "  source:  ", self.source)
    }
}

/// Text in lines that a terminal shows whole; those after the first are indented like it.
fn fill(into: &mut String, lead: &str, text: &str) -> fmt::Result {
    const WIDTH: usize = 100;
    let mut line = lead.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.len() + 1 + word.len() > WIDTH {
            writeln!(into, "{line}")?;
            line = " ".repeat(lead.len());
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(into, "{line}")
}
