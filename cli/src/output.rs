//! What goes to standard output: text for people or one JSON document for machines. Same input, same output: nothing
//! that depends on the clock, the machine or the number of threads may be written here; that goes to standard error.

use std::fmt;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::complaint::Done;

/// How a command answers: in text for people, or in one JSON document, which docs/cli.md describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
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

/// Says something on standard error. If its reader has closed it, the text is lost: no reader needs it.
pub(crate) fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A count and what is counted.
pub(crate) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// How many in a hundred, with one decimal; none of none is none.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let per_mille =
        (u128::from(part) * 1000 + u128::from(whole) / 2).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{}%", per_mille / 10, per_mille % 10)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_rounded_to_a_tenth_of_a_percent() {
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(2, 3), "66.7%");
        assert_eq!(share(0, 0), "0.0%");
        assert_eq!(share(7, 7), "100.0%");
    }
}
