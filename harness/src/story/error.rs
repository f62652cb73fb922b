//! What is wrong with a file that should be a story, said to the person who has to mend it.

use core::fmt;

use super::{Form, MAX_RECORDS, VERSION};

/// Why a file is no story. Lines and columns count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The file is larger than any story. How large is not told: what a pipe gives is read no further than the cap.
    TooLarge {
        /// The form that it is in.
        form: Form,
        /// The most that is read, in bytes.
        cap: usize,
    },
    /// It is text in UTF-16.
    Utf16,
    /// It is text that does not begin as a story does.
    NoStory {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What stands there; nothing is the end of the file.
        found: Option<String>,
    },
    /// It begins as text and holds something that is none.
    Binary {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The byte.
        byte: u8,
    },
    /// It is text of a version that is not known here.
    Version {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What stands where the version belongs.
        found: String,
    },
    /// Something else was expected.
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What was expected.
        expected: String,
        /// What stands there; nothing is the end of the line.
        found: Option<String>,
    },
    /// The text has more events and pauses than the bytes can hold.
    TooLong {
        /// The line with the first event that is too many.
        line: usize,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { form: Form::Text, cap } => {
                write!(f, "expected the text of a story, at most {cap} bytes, found more")
            }
            Self::TooLarge { form: Form::Bytes, cap } => {
                write!(f, "expected the bytes of a story, at most {cap}, found more")
            }
            Self::Utf16 => {
                write!(f, "line 1, column 1: expected text in UTF-8, found the mark of UTF-16")
            }
            Self::NoStory { line, column, found } => {
                write!(f, "line {line}, column {column}: expected \"story {VERSION}\", found ")?;
                match found {
                    Some(found) => write!(f, "{}", quoted(found)),
                    None => write!(f, "the end of the file"),
                }
            }
            Self::Binary { line, column, byte } => {
                write!(f, "line {line}, column {column}: expected text, found the byte {byte:#04x}")
            }
            Self::Version { line, column, found } => {
                write!(
                    f,
                    "line {line}, column {column}: expected story version {VERSION}, the only one known here, found {}",
                    quoted(found)
                )
            }
            Self::Syntax { line, column, expected, found } => {
                write!(f, "line {line}, column {column}: expected {expected}, found ")?;
                match found {
                    Some(found) => write!(f, "{}", quoted(found)),
                    None => write!(f, "the end of the line"),
                }
            }
            Self::TooLong { line } => {
                write!(
                    f,
                    "line {line}, column 1: expected at most {MAX_RECORDS} events and pauses, found more"
                )
            }
        }
    }
}

/// A word as it stands in the file; what cannot be seen is told by its number, and a long word by its beginning.
fn quoted(word: &str) -> String {
    const LONGEST: usize = 60;
    match word.char_indices().nth(LONGEST) {
        None => format!("{word:?}"),
        Some((end, _)) => format!("{:?}…", &word[..end]),
    }
}

impl std::error::Error for ReadError {}
