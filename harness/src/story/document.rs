//! A story as a file holds it: with the bug and the designs that it was found under.

use core::fmt;
use core::str::FromStr;

use super::{ReadError, Story, parse};

/// A text file may have so many bytes; comments take room that no story needs.
const MAX_TEXT: usize = 1 << 20;

/// The content of a story file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Document {
    /// The story.
    pub story: Story,
    /// What it was found under. The byte form does not hold it.
    pub under: Under,
}

/// What is to be changed in the kernels before a story is played.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Under {
    /// The name of a known bug.
    pub bug: Option<String>,
    /// Design points and their variants, in the order of the file.
    pub designs: Vec<(String, String)>,
}

impl Document {
    /// The story in a file: text if it begins with `story `, else bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        if !bytes.starts_with(b"story ") {
            return Ok(Story::decode(bytes)?.into());
        }
        if bytes.len() > MAX_TEXT {
            return Err(ReadError::TooLarge { size: bytes.len(), cap: MAX_TEXT });
        }
        match core::str::from_utf8(bytes) {
            Ok(text) => parse::document(text),
            Err(error) => {
                let at = error.valid_up_to();
                Err(parse::binary(bytes, at))
            }
        }
    }

    /// The story in a text.
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        parse::document(text)
    }
}

impl From<Story> for Document {
    fn from(story: Story) -> Self {
        Self { story, under: Under::default() }
    }
}

impl FromStr for Document {
    type Err = ReadError;

    fn from_str(text: &str) -> Result<Self, ReadError> {
        parse::document(text)
    }
}

impl FromStr for Story {
    type Err = ReadError;

    /// The story in a text; its `under` lines are read and left off.
    fn from_str(text: &str) -> Result<Self, ReadError> {
        Ok(parse::document(text)?.story)
    }
}

impl fmt::Display for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(bug) = &self.bug {
            writeln!(f, "under bug {bug}")?;
        }
        for (point, variant) in &self.designs {
            writeln!(f, "under design {point}={variant}")?;
        }
        Ok(())
    }
}
