//! What is wrong with a file that should be a story, said to the person who has to mend it.

use core::fmt;

use super::{MAX_RECORDS, TooLarge, VERSION};

/// Why a file is no story. Lines and columns count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The file is larger than any story.
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most that is read.
        cap: usize,
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
        /// The column, in the first line.
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
            Self::TooLarge { size, cap } => {
                write!(f, "the file has {size} bytes, and a story at most {cap}")
            }
            Self::Binary { line, column, byte } => {
                write!(f, "line {line}, column {column}: expected text, found the byte {byte:#04x}")
            }
            Self::Version { column, found } => {
                write!(
                    f,
                    "line 1, column {column}: expected story version {VERSION}, the only one known here, found \"{found}\""
                )
            }
            Self::Syntax { line, column, expected, found } => {
                write!(f, "line {line}, column {column}: expected {expected}, found ")?;
                match found {
                    Some(found) => write!(f, "\"{found}\""),
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

impl std::error::Error for ReadError {}

impl From<TooLarge> for ReadError {
    fn from(error: TooLarge) -> Self {
        Self::TooLarge { size: error.size, cap: super::MAX_BYTES }
    }
}
