//! A story as a file holds it: with the bug and the designs that it was found under.

use core::fmt;
use core::str::FromStr;

use super::form::UTF_16;
use super::{Form, MAX_BYTES, ReadError, Story, parse};

/// A text file may have this many bytes; comments take room that no story needs.
pub const MAX_TEXT: usize = 1 << 20;

/// The content of a story file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Document {
    /// The story.
    pub story: Story,
    /// What it was found under. The byte form does not hold it.
    pub under: Under,
    /// What the story finds under that: a [`breach`](crate::headline::Headline::breach). None where a file does not say it. The
    /// byte form does not hold it.
    pub finds: Option<String>,
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
    /// The story in a file, in the form that the file is in.
    pub fn read(content: &[u8]) -> Result<Self, ReadError> {
        Self::read_as(Form::of(content), content)
    }

    /// The story in a file of this form.
    pub fn read_as(form: Form, content: &[u8]) -> Result<Self, ReadError> {
        let cap = match form {
            Form::Text => MAX_TEXT,
            Form::Bytes => MAX_BYTES,
        };
        let too_large = ReadError::TooLarge { form, cap };
        if content.len() > cap {
            return Err(too_large);
        }
        if form == Form::Bytes {
            return Ok(Story::decode(content).map_err(|_| too_large)?.into());
        }
        if UTF_16.iter().any(|mark| content.starts_with(mark)) {
            return Err(ReadError::Utf16);
        }
        match core::str::from_utf8(content) {
            Ok(text) => parse::document(text),
            Err(error) => Err(parse::binary(content, error.valid_up_to())),
        }
    }

    /// The story in a text.
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        parse::document(text)
    }
}

impl From<Story> for Document {
    fn from(story: Story) -> Self {
        Self { story, under: Under::default(), finds: None }
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

    /// The story in a text; its `under` and `finds` lines are read and left off.
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
