//! What goes to standard output: text for people or one JSON document for machines. Same input, same output: nothing
//! that depends on the clock, the machine or the number of threads may be written here; that goes to standard error.

use std::fmt;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::complaint::Done;

/// How a command answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    #[default]
    Text,
    /// One JSON document, described in docs/cli.md.
    Json,
}

/// The flag that chooses it.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Answer {
    /// How to answer on standard output: text for people, or one JSON document for machines (see docs/cli.md)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

impl Answer {
    /// Writes what a command has to say: the text or the JSON document.
    pub(crate) fn give(
        self,
        json: &impl Serialize,
        text: impl FnOnce(&mut String) -> fmt::Result,
    ) -> Done<()> {
        let answer = match self.format {
            Format::Text => {
                let mut answer = String::new();
                text(&mut answer).expect("a string takes any text");
                answer
            }
            Format::Json => serde_json::to_string_pretty(json).map_err(io::Error::from)? + "\n",
        };
        print(&answer)
    }
}

/// Writes to standard output at once.
pub(crate) fn print(text: &str) -> Done<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// A count and what is counted.
pub(crate) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}
