//! The text of a story, as it is read. Every error names its place and what was expected there.

use impls::{Designs, Sizes};
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    AreaSlot, BufferSlot, MAX_PAGES, Mapping, MmCall, MmSlot, Owned, PageSlot, Place, RamSlot, Root, SLOTS,
    Token, TreeSlot,
};

use crate::combinations;

use super::line::{Line, Parsed, Word, decimal, syntax};
use super::text::{CALM, OTHER_DOMAIN};
use super::{
    Action, BACKENDS, Backends, Document, Event, Header, MAX_CPUS, MAX_RECORDS, MAX_STORES, ReadError,
    TEMPERAMENTS, Tag, VERSION, Verb,
};

/// The error for the byte at this offset, which is no text.
pub(super) fn binary(bytes: &[u8], at: usize) -> ReadError {
    let before = String::from_utf8_lossy(&bytes[..at]);
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
    let mut lines = text.lines().enumerate().map(|(index, line)| Line::new(index + 1, line));
    version(&mut lines.next().unwrap_or(Line::new(1, "")))?;

    let mut last = 1;
    let header = loop {
        let Some(mut line) = lines.next() else {
            break Err(syntax(last + 1, 1, HEADER_LINE, None));
        };
        last = line.number;
        match line.peek() {
            None => {}
            Some(word) if word.text == "under" => under(&mut line, &mut document)?,
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

fn version(line: &mut Line<'_>) -> Parsed<()> {
    line.keyword("story")?;
    let version = line.word("a story version")?;
    if version.text.parse() != Ok(VERSION) {
        return Err(ReadError::Version { column: version.column, found: version.text.to_owned() });
    }
    line.end("the end of the line")
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
    let expected = "native or xen";
    let mut backends = Backends::empty();
    let mut next = Some(line.word(expected)?);
    while let Some(word) = next {
        let known = BACKENDS.iter().find(|(_, name)| *name == word.text);
        backends |= known.ok_or_else(|| line.error(word, expected))?.0;
        next = line.clause_word();
    }
    Ok(backends)
}

fn event(line: &mut Line<'_>, cpus: u8) -> Parsed<Event> {
    let first = line.word("an event")?;
    let alone = |word: Word<'_>| Tag::of_word(word.text).is_some_and(Tag::is_on_no_cpu);
    let (cpu, word) = if first.text == OTHER_DOMAIN {
        let word = line.word("touch")?;
        if word.text != Tag::Touch.word() {
            return Err(line.error(word, "touch"));
        }
        (0, word)
    } else if alone(first) && first.text != Tag::Touch.word() {
        (0, first)
    } else if first.text == "under" {
        return Err(line.error(first, "\"under\" lines before the header, events after it"));
    } else {
        (cpu(line, first, cpus)?, line.word(OPERATION)?)
    };
    let tag = Tag::of_word(word.text).ok_or_else(|| line.error(word, OPERATION))?;
    if alone(word) && word.column != first.column && first.text != OTHER_DOMAIN {
        let where_to = if tag == Tag::Touch { "after d1" } else { "without a CPU" };
        return Err(line.error(word, &format!("{} {where_to}, or another operation", word.text)));
    }
    let mut action = action(line, tag, cpus)?;
    if let Action::Call { verb, irqs_off } = &mut action
        && verb.takes_irqs_off()
    {
        *irqs_off = line.optional("irqs-off");
    }
    let pause = if action.takes_pause() && line.optional("pause") { Some(pause(line)?) } else { None };
    let irqs_off_may_follow =
        matches!(action, Action::Call { verb, irqs_off: false } if verb.takes_irqs_off());
    line.end(match (irqs_off_may_follow && pause.is_none(), action.takes_pause() && pause.is_none()) {
        (true, _) => "irqs-off, a pause or the end of the line",
        (false, true) => "a pause or the end of the line",
        (false, false) => "the end of the line",
    })?;
    Ok(Event { cpu, action, pause })
}

const OPERATION: &str = "an operation like vmap, read or continue";

fn action(line: &mut Line<'_>, tag: Tag, cpus: u8) -> Parsed<Action> {
    let call = |verb| Action::Call { verb, irqs_off: false };
    Ok(match tag {
        Tag::AllocPage => {
            line.keyword("->")?;
            call(Verb::AllocPage { page: page(line)? })
        }
        Tag::FreePage => call(Verb::FreePage { page: page(line)? }),
        Tag::MakeTable => call(Verb::MakeTable { page: page(line)? }),
        Tag::UnmakeTable => call(Verb::UnmakeTable { page: page(line)? }),
        Tag::SetPageFlag => call(Verb::SetPageFlag { page: page(line)? }),
        Tag::PinTree => {
            let (first, count) = pages(line)?;
            line.keyword("->")?;
            call(Verb::PinTree { first, count, tree: tree(line)? })
        }
        Tag::UnpinTree => call(Verb::UnpinTree { tree: tree(line)? }),
        Tag::TrackAliases => call(Verb::TrackAliases),
        Tag::HvUpdate
        | Tag::HvUpdateVa
        | Tag::HvPin
        | Tag::HvUnpin
        | Tag::HvExchange
        | Tag::HvWrite
        | Tag::HvFlush => call(Verb::Raw(raw_call(line, tag)?)),
        Tag::Vmap => {
            let (first, count) = pages(line)?;
            line.keyword("->")?;
            call(Verb::Vmap { first, count, area: area(line)? })
        }
        Tag::MapRam => {
            let (first, count) = pages(line)?;
            line.keyword("->")?;
            call(Verb::MapRam { first, count, ram: ram(line)? })
        }
        Tag::Vunmap => call(Verb::Vunmap { area: area(line)? }),
        Tag::UnmapRam => call(Verb::UnmapRam { ram: ram(line)? }),
        Tag::DrainAliases => call(Verb::DrainAliases),
        Tag::Read => call(Verb::Read { place: place(line)? }),
        Tag::Write => call(Verb::Write { place: place(line)? }),
        Tag::DmaAlloc => {
            let (first, count) = pages(line)?;
            line.keyword("->")?;
            call(Verb::DmaAlloc { first, count, buffer: buffer(line)? })
        }
        Tag::DmaFree => call(Verb::DmaFree { buffer: buffer(line)? }),
        Tag::DeviceRead | Tag::DeviceWrite => {
            let expected = "a page of a buffer, like b0+1";
            let word = line.peek();
            let Place { mapping: Mapping::Buffer(buffer), page } = place(line)? else {
                return Err(word.map_or_else(|| line.at_end(expected), |word| line.error(word, expected)));
            };
            call(if tag == Tag::DeviceRead {
                Verb::DeviceRead { buffer, page }
            } else {
                Verb::DeviceWrite { buffer, page }
            })
        }
        Tag::Vmalloc
        | Tag::VmallocHuge
        | Tag::SetMemoryRo
        | Tag::SetMemoryRox
        | Tag::SetMemoryRw
        | Tag::SetMemoryWc
        | Tag::SetMemoryWb
        | Tag::Vfree
        | Tag::Exec
        | Tag::ReadDirect
        | Tag::WriteDirect => call(Verb::Owned(owned(line, tag)?)),
        Tag::NewMm | Tag::SwitchMm | Tag::DropMm => call(Verb::Mm(mm_call(line, tag)?)),
        Tag::Continue => Action::Continue,
        Tag::Deliver => {
            let from = if line.optional("from") {
                let word = line.word("a CPU like c0")?;
                Some(cpu(line, word, cpus)?)
            } else {
                None
            };
            Action::Deliver { from }
        }
        Tag::Fill => Action::Fill { place: place(line)? },
        Tag::DrainStores => {
            Action::DrainStores { count: line.number_in("a number of stores", 1, MAX_STORES)? }
        }
        Tag::GracePeriod => Action::GracePeriod,
        Tag::RunWork => Action::RunWork,
        Tag::Touch => Action::Touch,
        Tag::PauseAt | Tag::PauseAtFar | Tag::PauseBefore | Tag::Designs => {
            unreachable!("its word begins no event")
        }
    })
}

/// What follows `pause`: `at 17`, or `before store lazy_pages #2`, family and occurrence where they are needed.
fn pause(line: &mut Line<'_>) -> Parsed<Pause> {
    let expected = "\"at\" or \"before\"";
    let how = line.word(expected)?;
    match how.text {
        "at" => {
            let expected = "a number of points from 1 to 65535";
            let word = line.word(expected)?;
            match decimal(word.text) {
                Some(number @ 1..) => Ok(Pause::At(number)),
                _ => Err(line.error(word, expected)),
            }
        }
        "before" => {
            let expected = "a kind of point like store or invlpg";
            let word = line.word(expected)?;
            let kind = PointKind::ALL.into_iter().find(|kind| kind.name() == word.text);
            let kind = kind.ok_or_else(|| line.error(word, expected))?;
            let mut family = Family::NONE;
            if let Some(word) = line.peek().filter(|word| !word.text.starts_with('#')) {
                line.take();
                let expected = "a family like pte or lazy_pages";
                family = impls::family::by_name(word.text).ok_or_else(|| line.error(word, expected))?;
            }
            let mut occurrence = 1;
            if let Some(word) = line.peek() {
                line.take();
                let number = word.text.strip_prefix('#').and_then(decimal::<u8>).filter(|number| *number > 0);
                occurrence = number.ok_or_else(|| line.error(word, "an occurrence from #1 to #255"))?;
            }
            Ok(Pause::Before { point: Point { kind, family }, occurrence })
        }
        _ => Err(line.error(how, expected)),
    }
}

fn cpu(line: &Line<'_>, word: Word<'_>, cpus: u8) -> Parsed<u8> {
    match word.text.strip_prefix('c').and_then(decimal::<u8>) {
        Some(cpu) if cpu < cpus => Ok(cpu),
        Some(_) if cpus == 1 => Err(line.error(word, "c0, the only CPU of this story")),
        Some(_) => Err(line.error(word, &format!("a CPU from c0 to c{}", cpus - 1))),
        None => Err(line.error(word, "a CPU like c0")),
    }
}

fn page(line: &mut Line<'_>) -> Parsed<PageSlot> {
    let word = line.word("a page slot like p3")?;
    Ok(PageSlot::new(slot(line, word, word.text, PageSlot::LETTER, "a page slot")?))
}

fn area(line: &mut Line<'_>) -> Parsed<AreaSlot> {
    let word = line.word("an area slot like a3")?;
    Ok(AreaSlot::new(slot(line, word, word.text, AreaSlot::LETTER, "an area slot")?))
}

fn ram(line: &mut Line<'_>) -> Parsed<RamSlot> {
    let word = line.word("a map-ram slot like r3")?;
    Ok(RamSlot::new(slot(line, word, word.text, RamSlot::LETTER, "a map-ram slot")?))
}

fn buffer(line: &mut Line<'_>) -> Parsed<BufferSlot> {
    let word = line.word("a buffer slot like b3")?;
    Ok(BufferSlot::new(slot(line, word, word.text, BufferSlot::LETTER, "a buffer slot")?))
}

fn tree(line: &mut Line<'_>) -> Parsed<TreeSlot> {
    let word = line.word("a tree slot like t3")?;
    Ok(TreeSlot::new(slot(line, word, word.text, TreeSlot::LETTER, "a tree slot")?))
}

/// What is asked of address spaces.
fn mm_call(line: &mut Line<'_>, tag: Tag) -> Parsed<MmCall> {
    let one = "an address space like m3";
    Ok(match tag {
        Tag::NewMm => {
            line.keyword("->")?;
            MmCall::New { mm: mm(line, one)? }
        }
        Tag::DropMm => MmCall::Drop { mm: mm(line, one)? },
        _ if line.optional("init") => MmCall::Switch { to: Root::Init },
        _ => MmCall::Switch { to: Root::Mm(mm(line, "init or an address space like m3")?) },
    })
}

fn mm(line: &mut Line<'_>, expected: &str) -> Parsed<MmSlot> {
    let word = line.word(expected)?;
    Ok(MmSlot::new(slot(line, word, word.text, MmSlot::LETTER, "an address space")?))
}

/// The number of a slot, which is the whole of `text`, a part of the word.
fn slot(line: &Line<'_>, word: Word<'_>, text: &str, letter: char, what: &str) -> Parsed<u8> {
    match text.strip_prefix(letter).and_then(decimal::<u8>) {
        Some(number) if number < SLOTS => Ok(number),
        Some(_) => Err(line.error(word, &format!("{what} from {letter}0 to {letter}{}", SLOTS - 1))),
        None => Err(line.error(word, &format!("{what} like {letter}3"))),
    }
}

/// Pages: `p0+2`.
fn pages(line: &mut Line<'_>) -> Parsed<(PageSlot, u8)> {
    let expected = "a first page and how many, like p0+2";
    let word = line.word(expected)?;
    let Some((first, count)) = word.text.split_once('+') else {
        return Err(line.error(word, expected));
    };
    let first = PageSlot::new(slot(line, word, first, PageSlot::LETTER, "a page slot")?);
    match decimal(count) {
        Some(count) if (1..=MAX_PAGES).contains(&usize::from(count)) => Ok((first, count)),
        _ => Err(line.error(word, &format!("1 to {MAX_PAGES} pages, like {first}+2"))),
    }
}

/// An entry of a page: `p0+1`.
fn table_entry(line: &mut Line<'_>) -> Parsed<(PageSlot, u8)> {
    let expected = "a page and one of its entries, like p0+1";
    let word = line.word(expected)?;
    let Some((page, index)) = word.text.split_once('+') else {
        return Err(line.error(word, expected));
    };
    let page = PageSlot::new(slot(line, word, page, PageSlot::LETTER, "a page slot")?);
    match decimal(index) {
        Some(index) if index < RawCall::ENTRIES => Ok((page, index)),
        _ => Err(line.error(word, &format!("an entry from {page}+0 to {page}+{}", RawCall::ENTRIES - 1))),
    }
}

/// A hypercall of a caller's own.
fn raw_call(line: &mut Line<'_>, tag: Tag) -> Parsed<RawCall> {
    Ok(match tag {
        Tag::HvUpdate | Tag::HvUpdateVa => {
            let (table, index) = table_entry(line)?;
            let entry = raw_entry(line)?;
            if tag == Tag::HvUpdate {
                RawCall::Update { table, index, entry }
            } else {
                RawCall::UpdateVa { table, index, entry }
            }
        }
        Tag::HvPin => {
            let page = page(line)?;
            RawCall::Pin { page, level: line.number_in("a level", 1, 4)? }
        }
        Tag::HvUnpin => RawCall::Unpin { page: page(line)? },
        Tag::HvExchange => RawCall::Exchange { page: page(line)? },
        Tag::HvWrite => {
            let (table, index) = table_entry(line)?;
            RawCall::Write { table, index }
        }
        _ => RawCall::Flush,
    })
}

/// What an entry is to hold: `empty`, `-> p2 writable`, `-> foreign readable`.
fn raw_entry(line: &mut Line<'_>) -> Parsed<RawEntry> {
    if line.optional("empty") {
        return Ok(RawEntry::Empty);
    }
    line.keyword("->")?;
    let to = if line.optional("foreign") { RawFrame::Foreign } else { RawFrame::Page(page(line)?) };
    let expected = "readable, writable or large";
    let word = line.word(expected)?;
    let access = RawAccess::ALL.into_iter().find(|access| access.name() == word.text);
    Ok(RawEntry::Leads { to, access: access.ok_or_else(|| line.error(word, expected))? })
}

/// What is done with areas that own their pages.
fn owned(line: &mut Line<'_>, tag: Tag) -> Parsed<Owned> {
    if let Some(access) = tag.access() {
        return Ok(Owned::SetMemory { area: area(line)?, access });
    }
    if let Some(memory_type) = tag.memory_type() {
        return Ok(Owned::SetMemoryType { area: area(line)?, memory_type });
    }
    Ok(match tag {
        Tag::Vmalloc | Tag::VmallocHuge => {
            let expected = "how many pages, like +2";
            let word = line.word(expected)?;
            let count = word.text.strip_prefix('+').and_then(decimal::<u8>);
            let count = count.filter(|count| (1..=MAX_PAGES).contains(&usize::from(*count)));
            let count = count.ok_or_else(|| line.error(word, expected))?;
            line.keyword("->")?;
            Owned::Vmalloc { count, area: area(line)?, huge: tag == Tag::VmallocHuge }
        }
        Tag::Vfree => Owned::Vfree { area: area(line)? },
        Tag::Exec => Owned::Exec { place: place(line)? },
        Tag::ReadDirect => Owned::ReadDirect { place: place_of_area(line)? },
        _ => Owned::WriteDirect { place: place_of_area(line)?, token: Token::ZERO },
    })
}

/// A page of an area: `a0+1`.
fn place_of_area(line: &mut Line<'_>) -> Parsed<Place> {
    let word = line.peek();
    let found = place(line)?;
    match (found.mapping, word) {
        (Mapping::Ram(_) | Mapping::Buffer(_), Some(word)) => {
            Err(line.error(word, "a page of an area, like a0+1"))
        }
        _ => Ok(found),
    }
}

/// A page of a mapping: `a0+1`, `r2+0` or `b0+1`.
fn place(line: &mut Line<'_>) -> Parsed<Place> {
    let expected = "a page of a mapping, like a0+1 or r2+0";
    let word = line.word(expected)?;
    let Some((mapping, page)) = word.text.split_once('+') else {
        return Err(line.error(word, expected));
    };
    let mapping = if mapping.starts_with(AreaSlot::LETTER) {
        Mapping::Area(AreaSlot::new(slot(line, word, mapping, AreaSlot::LETTER, "an area slot")?))
    } else if mapping.starts_with(RamSlot::LETTER) {
        Mapping::Ram(RamSlot::new(slot(line, word, mapping, RamSlot::LETTER, "a map-ram slot")?))
    } else if mapping.starts_with(BufferSlot::LETTER) {
        Mapping::Buffer(BufferSlot::new(slot(line, word, mapping, BufferSlot::LETTER, "a buffer slot")?))
    } else {
        return Err(line.error(word, expected));
    };
    match decimal(page) {
        Some(page) if usize::from(page) < MAX_PAGES => Ok(Place { mapping, page }),
        _ => Err(line.error(word, &format!("a page from {mapping}+0 to {mapping}+{}", MAX_PAGES - 1))),
    }
}
