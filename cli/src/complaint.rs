//! What is wrong with what was asked for: a message that names the place and what was expected there. It ends the
//! program with exit code 2, and must never be used for a finding.

use std::fmt;
use std::io;
use std::path::Path;

use harness::story::ReadError;

/// Why nothing could be done.
#[derive(Debug)]
pub(crate) enum Complaint {
    /// Said to the person who asked.
    Said(String),
    /// Nobody listens on standard output any more: there is nobody to say it to.
    NobodyListens,
}

/// What a command came to.
pub(crate) type Done<T> = Result<T, Complaint>;

impl Complaint {
    /// A complaint about no file in particular.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// A complaint about a file or folder.
    pub(crate) fn at(path: &Path, text: impl fmt::Display) -> Self {
        Self::Said(format!("{}: {text}", path.display()))
    }

    /// A complaint about the text of a story, with the line that it is about.
    pub(crate) fn unreadable(path: &Path, bytes: &[u8], error: &ReadError) -> Self {
        let shown = place(error).and_then(|(line, column)| quote(bytes, line, column)).unwrap_or_default();
        Self::at(path, format!("{error}{shown}"))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(text) => f.write_str(text),
            Self::NobodyListens => f.write_str("standard output was closed"),
        }
    }
}

/// What cannot be written to standard output.
impl From<io::Error> for Complaint {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::NobodyListens
        } else {
            Self::new(format!("standard output: {error}"))
        }
    }
}

fn place(error: &ReadError) -> Option<(usize, usize)> {
    match *error {
        ReadError::Syntax { line, column, .. } | ReadError::Binary { line, column, .. } => {
            Some((line, column))
        }
        ReadError::Version { .. } => Some((1, "story ".len() + 1)),
        ReadError::TooLong { line } => Some((line, 1)),
        ReadError::TooLarge { .. } => None,
    }
}

/// The line with its number, and a mark under the column. Nothing for a line that is not there.
fn quote(bytes: &[u8], line: usize, column: usize) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let quoted = text.lines().nth(line - 1)?;
    // What a terminal would act upon is shown as what it is: one column that cannot be printed.
    let quoted: String = quoted.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let number = line.to_string();
    let (gap, before) = (" ".repeat(number.len()), " ".repeat(column - 1));
    Some(format!("\n {gap} |\n {number} | {quoted}\n {gap} | {before}^"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use harness::story::Document;

    use super::Complaint;

    fn complaint(bytes: &[u8]) -> String {
        let error = Document::read(bytes).expect_err("no story");
        Complaint::unreadable(Path::new("a.story"), bytes, &error).to_string()
    }

    #[test]
    fn the_line_is_shown_with_a_mark_under_the_column() {
        let said = complaint(b"story 1\ncpus 1\nc0  vmpa p0+1 -> a0\n");
        let (message, shown) = said.split_once('\n').expect("a message, then the line");
        assert!(message.starts_with("a.story: line 3, column 5: expected an operation"), "{message}");
        assert_eq!(shown, "   |\n 3 | c0  vmpa p0+1 -> a0\n   |     ^");
    }

    #[test]
    fn what_a_terminal_would_act_upon_is_not_sent_to_it() {
        let said = complaint(b"story 1\ncpus 1\nc0  \x1b[2Jvunmap a0\n");
        assert!(!said.contains('\x1b'), "{said:?}");
        assert!(said.contains("line 3, column 5: expected text, found the byte 0x1b"), "{said:?}");
    }

    #[test]
    fn a_line_that_is_not_there_is_not_shown() {
        assert!(!complaint(b"story 1\n").contains('^'));
    }
}
