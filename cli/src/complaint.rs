//! What is wrong with what was asked for: a message that names the place and what was expected there. It ends the
//! program with exit code 2, and must never be used for a finding.

use std::fmt;
use std::io;
use std::path::Path;

use harness::story::ReadError;

/// A line of a message is not longer, whatever names stand in it: the beginning and the end say where and what.
const LONGEST: usize = 3000;

/// This many characters of a line of a story are shown on either side of the column.
const AROUND: usize = 50;

/// Why nothing could be done.
#[derive(Debug)]
pub(crate) enum Complaint {
    /// Said to the person who asked.
    Said(String),
    /// The reader of standard output has closed it: the text has no reader left.
    NobodyListens,
}

/// What a command came to.
pub(crate) type Done<T> = Result<T, Complaint>;

impl Complaint {
    /// A complaint about no file in particular.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::Said(text.into().lines().map(fit_to_print).collect::<Vec<_>>().join("\n"))
    }

    /// A complaint about a file or folder.
    pub(crate) fn at(path: &Path, text: impl fmt::Display) -> Self {
        let path = path.display().to_string().replace('\n', "\u{fffd}");
        Self::new(format!("{path}: {text}"))
    }

    /// A complaint about the content of a story file, with the line that it is about.
    pub(crate) fn unreadable(path: &Path, content: &[u8], error: &ReadError) -> Self {
        let shown = place(error).and_then(|(line, column)| quote(content, line, column)).unwrap_or_default();
        let hint = match error {
            ReadError::Utf16 | ReadError::Binary { .. } => {
                "\n  save it as UTF-8, or say --bytes if it is no text"
            }
            ReadError::NoStory { .. } => "\n  say --bytes if it is no text",
            _ => "",
        };
        Self::at(path, format_args!("{error}{shown}{hint}"))
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
        ReadError::Syntax { line, column, .. }
        | ReadError::Binary { line, column, .. }
        | ReadError::NoStory { line, column, .. }
        | ReadError::Version { line, column, .. } => Some((line, column)),
        ReadError::TooLong { line } => Some((line, 1)),
        ReadError::TooLarge { .. } | ReadError::Utf16 => None,
    }
}

/// The line with its number, and a mark under the column; what is far from the column is cut off. Nothing for a line that
/// is not there.
fn quote(content: &[u8], line: usize, column: usize) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut rest = text.lines().nth(line - 1)?.chars();
    let skipped = (column - 1).saturating_sub(AROUND);
    let cut = skipped.checked_sub(1).and_then(|before| rest.nth(before)).map_or("", |_| "…");
    let shown: String = rest.by_ref().take(2 * AROUND).map(printable).collect();
    let cut_off = rest.next().map_or("", |_| "…");
    let number = line.to_string();
    let gap = " ".repeat(number.len());
    let before = " ".repeat(column - 1 - skipped + cut.chars().count());
    Some(format!("\n {gap} |\n {number} | {cut}{shown}{cut_off}\n {gap} | {before}^"))
}

/// What a terminal would act upon, or would not show, becomes what it is: one column that cannot be printed.
fn printable(c: char) -> char {
    let directs = matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    if c.is_control() || directs { '\u{fffd}' } else { c }
}

/// A line of a message, without what a terminal would act upon, and without the middle of what is too long.
fn fit_to_print(line: &str) -> String {
    const FIRST: usize = 200;
    let line: Vec<_> = line.chars().map(printable).collect();
    if line.len() <= LONGEST {
        return line.into_iter().collect();
    }
    let (first, rest) = line.split_at(FIRST);
    let last = &rest[rest.len() - (LONGEST - FIRST - 1)..];
    first.iter().chain(['…'].iter()).chain(last).collect()
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
    fn of_a_long_line_what_is_around_the_column_is_shown() {
        let (before, after) = ("a".repeat(1_000_000), "z".repeat(10_000));
        let said = complaint(format!("story 1\ncpus 1 // {before}\x01{after}").as_bytes());
        let (message, shown) = said.split_once('\n').expect("a message, then the line");
        assert!(message.starts_with("a.story: line 2, column 1000011: expected text"), "{message}");
        let (before, after) = (&before[..50], &after[..49]);
        let mark = " ".repeat(51);
        let expected = format!("   |\n 2 | …{before}\u{fffd}{after}…\n   | {mark}^\n");
        assert!(shown.starts_with(&expected), "{shown}");
    }

    #[test]
    fn a_long_name_is_cut_in_the_middle() {
        let said = Complaint::at(Path::new("a.story"), format!("expected {}, found it", "x".repeat(100_000)));
        let said = said.to_string();
        assert_eq!(said.chars().count(), super::LONGEST);
        assert!(said.starts_with("a.story: expected x") && said.ends_with("x, found it"), "{said}");
    }

    #[test]
    fn no_column_counts_for_the_mark_of_utf_8() {
        let said = complaint("\u{feff}stori 1\n".as_bytes());
        assert!(said.contains("line 1, column 1: expected \"story 1\""), "{said}");
        assert!(said.contains("\n 1 | stori 1\n   | ^\n"), "{said}");
    }

    #[test]
    fn what_would_turn_the_letters_of_a_line_around_is_not_shown() {
        let said = complaint("story 1\ncpus 1\nc0  \u{202e}vunmap a0\n".as_bytes());
        assert!(!said.contains('\u{202e}') && said.contains("found \"\\u{202e}vunmap\""), "{said}");
    }

    #[test]
    fn a_line_that_is_not_there_is_not_shown() {
        assert!(!complaint(b"story 1\n").contains('^'));
    }
}
