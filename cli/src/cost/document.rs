//! A document that shows what `cost` answers: its tables are brought up to date, and its prose is left alone.

use super::table::Part;

/// A fence of Markdown.
const FENCE: &str = "```";

/// The first of these titles that no block of the document begins with.
pub(super) fn lacking(
    document: &str,
    titles: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    titles.into_iter().find(|title| !document.contains(&format!("\n{FENCE}\n{title}\n")))
}

/// The document with each block that begins with the title of a part saying what the part says now.
pub(super) fn updated(document: &str, parts: &[Part]) -> String {
    let mut text = String::new();
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let part = parts.iter().find(|part| line == FENCE && lines.peek() == Some(&part.title));
        if let Some(part) = part {
            text.push_str(part.title);
            text.push_str("\n\n");
            text.push_str(&part.text);
            while lines.next_if(|line| *line != FENCE).is_some() {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Part, lacking, updated};

    #[test]
    fn blocks_change_and_prose_stays() {
        let parts = [Part { title: "one: it", text: "  new\n".to_owned() }];
        let document = "# Prose\none: it\n\n```\none: it\n\n  old\n  old\n```\n\n```\nother\n```\n";
        let expected = "# Prose\none: it\n\n```\none: it\n\n  new\n```\n\n```\nother\n```\n";
        assert_eq!(updated(document, &parts), expected);
        assert_eq!(updated(expected, &parts), expected);
        assert_eq!(lacking(document, ["one: it"]), None);
        assert_eq!(lacking(document, ["one: it", "other", "Prose"]), Some("Prose"));
    }
}
