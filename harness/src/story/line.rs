//! One line of text and the words in it: the places that every error names.

use super::ReadError;

pub(super) type Parsed<T> = Result<T, ReadError>;

/// Digits only: no sign, which `parse` would take.
pub(super) fn decimal<N: core::str::FromStr>(text: &str) -> Option<N> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

pub(super) fn syntax(line: usize, column: usize, expected: &str, found: Option<&str>) -> ReadError {
    ReadError::Syntax { line, column, expected: expected.to_owned(), found: found.map(str::to_owned) }
}

/// A word and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// The bytes before it on its line. Columns are counted for errors alone: a line may be long.
    pub(super) at: usize,
}

/// What is left of a line, its comment taken off. Words are parted by white space; a comma is a word of its own.
pub(crate) struct Line<'a> {
    pub(super) number: usize,
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    pub(super) fn new(number: usize, text: &'a str) -> Self {
        let comment = text
            .match_indices("//")
            .map(|(at, _)| at)
            .find(|&at| at == 0 || text[..at].ends_with(char::is_whitespace));
        Self { number, text: text[..comment.unwrap_or(text.len())].trim_end(), at: 0 }
    }

    pub(super) fn peek(&self) -> Option<Word<'a>> {
        let rest = self.text[self.at..].trim_start();
        let start = self.text.len() - rest.len();
        let length = if rest.starts_with(',') {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len())
        };
        (length > 0).then(|| Word { text: &rest[..length], at: start })
    }

    pub(super) fn take(&mut self) -> Option<Word<'a>> {
        let word = self.peek()?;
        self.at = word.at + word.text.len();
        Some(word)
    }

    pub(super) fn word(&mut self, expected: &str) -> Parsed<Word<'a>> {
        self.take().ok_or_else(|| self.at_end(expected))
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> Parsed<()> {
        let expected = format!("\"{keyword}\"");
        let word = self.word(&expected)?;
        if word.text == keyword { Ok(()) } else { Err(self.error(word, &expected)) }
    }

    pub(super) fn optional(&mut self, keyword: &str) -> bool {
        let there = self.peek().is_some_and(|word| word.text == keyword);
        if there {
            self.take();
        }
        there
    }

    pub(super) fn comma(&mut self) -> bool {
        self.optional(",")
    }

    /// The next word before a comma.
    pub(super) fn clause_word(&mut self) -> Option<Word<'a>> {
        self.peek().filter(|word| word.text != ",").inspect(|_| {
            self.take();
        })
    }

    /// All words that are left, with one blank between two of them.
    pub(super) fn rest(&mut self) -> String {
        let rest = &self.text[self.at..];
        self.at = self.text.len();
        rest.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn number_in(&mut self, what: &str, low: u8, high: u8) -> Parsed<u8> {
        let expected = format!("{what} from {low} to {high}");
        let word = self.word(&expected)?;
        let number = decimal(word.text).filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| self.error(word, &expected))
    }

    pub(super) fn end(&mut self, expected: &str) -> Parsed<()> {
        self.take().map_or(Ok(()), |word| Err(self.error(word, expected)))
    }

    pub(super) fn at_end(&self, expected: &str) -> ReadError {
        syntax(self.number, self.text.chars().count() + 1, expected, None)
    }

    pub(super) fn error(&self, word: Word<'_>, expected: &str) -> ReadError {
        syntax(self.number, self.column(word), expected, Some(word.text))
    }

    pub(super) fn column(&self, word: Word<'_>) -> usize {
        self.text[..word.at].chars().count() + 1
    }
}
