//! Whether a file holds the text of a story or its bytes. Every place that reads files asks here, and no other looks for
//! itself. Engines are never asked about: what they play is bytes.

/// The two forms that a story has in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For people.
    Text,
    /// For fuzzing engines.
    Bytes,
}

/// What every story that we encode begins with.
const ENCODED: u8 = super::VERSION;

/// The word that every text begins with, after comments.
const KEYWORD: &[u8] = b"story";

/// The keyword stands within this many bytes.
const HEAD: usize = 4096;

/// Less than this is too little to be told by its letters.
const FEW: usize = 16;

/// The byte order marks of UTF-16.
pub(super) const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

impl Form {
    /// What this content of a file is meant to be.
    ///
    /// A text that is not quite one must be refused: taken for bytes it would be another story, which finds nothing. Bytes
    /// that are refused for text are read when their reader says that they are bytes. So whatever may be text is text.
    pub fn of(content: &[u8]) -> Self {
        if content.first() == Some(&ENCODED) {
            return Self::Bytes;
        }
        if names_a_story(content)
            || UTF_16.iter().any(|mark| content.starts_with(mark))
            || is_plain(content)
            || is_mostly_printable(content)
        {
            return Self::Text;
        }
        Self::Bytes
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bytes => "bytes",
        }
    }
}

/// Whether the keyword stands near the beginning, in any case and in any encoding that gives a letter two bytes or four.
fn names_a_story(content: &[u8]) -> bool {
    let head = content.iter().take(HEAD).filter(|byte| **byte != 0).map(u8::to_ascii_lowercase);
    head.collect::<Vec<_>>().windows(KEYWORD.len()).any(|word| word == KEYWORD)
}

/// Whether it is text without anything that text does not hold. An empty file is.
fn is_plain(content: &[u8]) -> bool {
    let plain = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    core::str::from_utf8(content).is_ok_and(|text| text.chars().all(plain))
}

/// Whether nine of ten bytes are printable: a text that was damaged, or is in an encoding of its own.
fn is_mostly_printable(content: &[u8]) -> bool {
    let printable = |byte: &&u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
    content.len() >= FEW && content.iter().filter(printable).count() * 10 >= content.len() * 9
}

#[cfg(test)]
mod tests {
    use super::Form::{self, Bytes, Text};

    #[test]
    fn what_we_encode_is_bytes_whatever_follows() {
        assert_eq!(Form::of(b"\x01"), Bytes);
        assert_eq!(Form::of(b"\x01story 1\ncpus 2\n"), Bytes);
    }

    #[test]
    fn the_keyword_near_the_beginning_makes_text_in_any_case_and_width() {
        for content in [
            &b"\0\x02\xffstory"[..],
            b"\x02\x03STORY",
            b"\x02\x03sTorY",
            b"\0s\0t\0o\0r\0y",
            b"s\0\0\0t\0\0\0o\0\0\0r\0\0\0y\0\0\0",
        ] {
            assert_eq!(Form::of(content), Text, "{content:?}");
        }
        let after = |bytes: usize| [vec![0x80; bytes], b"story".to_vec()].concat();
        assert_eq!((Form::of(&after(4096 - 5)), Form::of(&after(4096 - 4))), (Text, Bytes));
        assert_eq!(Form::of(b"\x02\x03stor"), Bytes);
    }

    #[test]
    fn a_mark_of_utf_16_makes_text() {
        assert_eq!((Form::of(b"\xff\xfe\x02"), Form::of(b"\xfe\xff\x02")), (Text, Text));
        assert_eq!((Form::of(b"\xff\xff\x02"), Form::of(b"\xff")), (Bytes, Bytes));
    }

    #[test]
    fn plain_text_is_text_however_short() {
        for content in ["", "s", "// f\u{fc}r sp\u{e4}ter\r\n\t", "\u{feff}"] {
            assert_eq!(Form::of(content.as_bytes()), Text, "{content:?}");
        }
        for content in [&b"s\0"[..], b"s\x1b", b"s\x7f", "s\u{85}".as_bytes(), b"s\xff"] {
            assert_eq!(Form::of(content), Bytes, "{content:?}");
        }
    }

    #[test]
    fn nine_printable_bytes_of_ten_make_text_where_there_are_sixteen() {
        let with = |strange: usize, printable: usize| [vec![2; strange], vec![b'x'; printable]].concat();
        assert_eq!((Form::of(&with(2, 18)), Form::of(&with(2, 17))), (Text, Bytes));
        assert_eq!((Form::of(&with(1, 15)), Form::of(&with(1, 14))), (Text, Bytes));
    }
}
