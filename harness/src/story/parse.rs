//! The text of a story, as it is read. Every error names its place and what was expected there.

mod event;

use impls::{Designs, Sizes};
use machine::Temperament;
use oracle::Rule;

use crate::combinations;

use super::line::{Line, Parsed, syntax};
use super::text::CALM;
use super::{BACKENDS, Backends, Document, Header, MAX_CPUS, MAX_RECORDS, ReadError, TEMPERAMENTS, VERSION};
use event::event;

/// What some editors put in front of a text, to say that it is UTF-8. It has no column.
const MARK: char = '\u{feff}';

/// The error for the byte at this offset, which is no text.
pub(super) fn binary(bytes: &[u8], at: usize) -> ReadError {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let before = before.strip_prefix(MARK).unwrap_or(&before);
    let line = before.rsplit('\n').next().unwrap_or_default();
    ReadError::Binary {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        byte: bytes[at],
    }
}

/// Reads a whole file.
pub(super) fn document(text: &str) -> Parsed<Document> {
    let stray = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some(at) = text.find(stray) {
        return Err(binary(text.as_bytes(), at));
    }
    let mut document = Document::default();
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let mut lines = text.lines().enumerate().map(|(index, line)| Line::new(index + 1, line));
    let mut last = version(&mut lines)?;
    let header = loop {
        let Some(mut line) = lines.next() else {
            break Err(syntax(last + 1, 1, HEADER_LINE, None));
        };
        last = line.number;
        match line.peek() {
            None => {}
            Some(word) if word.text == "under" => under(&mut line, &mut document)?,
            Some(word) if word.text == "finds" => finds(&mut line, &mut document)?,
            Some(_) => break header(&mut line),
        }
    };
    document.story.header = header?;

    let mut records = document.story.header.records();
    for mut line in lines {
        if line.peek().is_none() {
            continue;
        }
        let event = event(&mut line, document.story.header.cpus)?;
        records += event.records();
        if records > MAX_RECORDS {
            return Err(ReadError::TooLong { line: line.number });
        }
        document.story.events.push(event);
    }
    Ok(document)
}

const HEADER_LINE: &str = "the header, like \"cpus 2, hardware calm, sizes tiny, backends native xen\"";

/// Reads up to the line with the version, and tells its number.
fn version<'a>(lines: &mut impl Iterator<Item = Line<'a>>) -> Parsed<usize> {
    let mut last = 0;
    for mut line in lines {
        last = line.number;
        let Some(first) = line.take() else { continue };
        if first.text != "story" {
            let (column, found) = (line.column(first), Some(first.text.to_owned()));
            return Err(ReadError::NoStory { line: last, column, found });
        }
        let version = line.word("a story version")?;
        if version.text.parse() != Ok(VERSION) {
            let (column, found) = (line.column(version), version.text.to_owned());
            return Err(ReadError::Version { line: last, column, found });
        }
        return line.end("the end of the line").map(|()| last);
    }
    Err(ReadError::NoStory { line: last + 1, column: 1, found: None })
}

fn under(line: &mut Line<'_>, document: &mut Document) -> Parsed<()> {
    line.keyword("under")?;
    let what = line.word("\"bug\" or \"design\"")?;
    match what.text {
        "bug" if document.under.bug.is_some() => return Err(line.error(what, "no second bug")),
        "bug" => document.under.bug = Some(line.word("the name of a bug")?.text.to_owned()),
        "design" => {
            let expected = "a design point and its variant, like pte_clear=at-purge";
            let word = line.word(expected)?;
            match word.text.split_once('=') {
                Some((point, variant)) if !point.is_empty() && !variant.is_empty() => {
                    document.under.designs.push((point.to_owned(), variant.to_owned()));
                }
                _ => return Err(line.error(word, expected)),
            }
        }
        _ => return Err(line.error(what, "\"bug\" or \"design\"")),
    }
    line.end("the end of the line")
}

/// Whether a finding is told as headlines and signatures tell it: `RULE: OPERATION on BACKEND, CPU: WHAT`, `RULE on BACKEND: WHAT`.
fn names_a_backend(breach: &str) -> bool {
    let ends_so = |place: &str, name: &str| {
        let place = place.rsplit_once(", c").map_or(place, |(before, _)| before);
        place.ends_with(&format!(" on {name}"))
    };
    // The last is what breaks the rule.
    breach.rsplit(": ").skip(1).any(|place| BACKENDS.iter().any(|(_, name)| ends_so(place, name)))
}

/// `finds RULE: WHAT`, as headlines have it, without the operation, the backend and the CPU.
fn finds(line: &mut Line<'_>, document: &mut Document) -> Parsed<()> {
    const EXPECTED: &str = "a rule and what breaks it, like rule 5 (drain): an alias is left in a TLB";
    let first = line.word("\"finds\"")?;
    if document.finds.is_some() {
        return Err(line.error(first, "no second finding"));
    }
    let word = line.peek().ok_or_else(|| line.at_end(EXPECTED))?;
    let breach = line.rest();
    let is_of = |rule: &Rule| breach.strip_prefix(&format!("{rule}: ")).is_some_and(|what| !what.is_empty());
    if !Rule::ALL.iter().any(is_of) {
        return Err(line.error(word, EXPECTED));
    }
    if names_a_backend(&breach) {
        return Err(line.error(
            word,
            "what breaks it alone, without the operation, the backend and the CPU of a headline",
        ));
    }
    document.finds = Some(breach);
    Ok(())
}

/// `cpus N`, then clauses in any order, each at most once. What is left out is calm, tiny, and every backend.
fn header(line: &mut Line<'_>) -> Parsed<Header> {
    let mut header = Header::default();
    let word = line.word(HEADER_LINE)?;
    if word.text != "cpus" {
        return Err(line.error(word, HEADER_LINE));
    }
    header.cpus = line.number_in("a number of CPUs", 1, MAX_CPUS)?;
    let mut seen: Vec<&str> = Vec::new();
    let mut chosen = None;
    while line.comma() {
        let clause = line.word(CLAUSE)?;
        if seen.contains(&clause.text) {
            return Err(line.error(clause, "each clause once"));
        }
        seen.push(clause.text);
        match clause.text {
            "hardware" => header.temperament = hardware(line)?,
            "sizes" => {
                let expected = "tiny, small or real";
                let word = line.word(expected)?;
                let sizes = Sizes::ALL.into_iter().find(|sizes| sizes.name() == word.text);
                header.sizes = sizes.ok_or_else(|| line.error(word, expected))?;
            }
            "backends" => header.backends = backends(line)?,
            "designs" => {
                chosen = Some(clause);
                header.designs = designs(line)?;
            }
            _ => return Err(line.error(clause, CLAUSE)),
        }
    }
    line.end("a comma or the end of the line")?;
    if let (Some(clause), Some(bug)) = (chosen, combinations::flaw(header.designs, header.backends)) {
        let expected = format!(
            "designs that are correct together, which these are not ({}); broken ones stand in \"under design\" lines",
            bug.name
        );
        return Err(line.error(clause, &expected));
    }
    Ok(header)
}

const CLAUSE: &str = "\"hardware\", \"sizes\", \"backends\" or \"designs\"";

fn designs(line: &mut Line<'_>) -> Parsed<Designs> {
    let expected = "a design point and its variant, like pte_clear=at-purge";
    let (mut designs, mut chosen) = (Designs::default(), Vec::new());
    let mut next = Some(line.word(expected)?);
    while let Some(word) = next {
        let (point, variant) = word.text.split_once('=').ok_or_else(|| line.error(word, expected))?;
        if chosen.contains(&point) {
            return Err(line.error(word, "each design point once at most"));
        }
        chosen.push(point);
        designs.choose(point, variant).map_err(|unknown| line.error(word, &unknown.expected()))?;
        next = line.clause_word();
    }
    Ok(designs)
}

fn hardware(line: &mut Line<'_>) -> Parsed<Temperament> {
    let expected = "calm, eager-walkers, lazy-stores, lifo-reuse or reordered-interrupts";
    let mut temperament = Temperament::empty();
    let first = line.word(expected)?;
    if first.text == CALM {
        return Ok(temperament);
    }
    let mut next = Some(first);
    while let Some(word) = next {
        let known = TEMPERAMENTS.iter().find(|(_, name)| *name == word.text);
        temperament |= known.ok_or_else(|| line.error(word, expected))?.0;
        next = line.clause_word();
    }
    Ok(temperament)
}

fn backends(line: &mut Line<'_>) -> Parsed<Backends> {
    let expected = "native, xen, kvm or hyperv";
    let mut backends = Backends::empty();
    let mut next = Some(line.word(expected)?);
    while let Some(word) = next {
        let known = BACKENDS.iter().find(|(_, name)| *name == word.text);
        backends |= known.ok_or_else(|| line.error(word, expected))?.0;
        next = line.clause_word();
    }
    Ok(backends)
}
