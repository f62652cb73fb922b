//! One event, as it is read: its CPU, its operation, where it is to stop.

use machine::{Family, Pause, Point, PointKind};
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{Device, MAX_PAGES, Mapping, MmCall, Owned, Place, Root, Token};

use super::operand::{area, buffer, mm, page, pages, place, place_of_area, ram, table_entry, tree};
use crate::story::line::{Line, Parsed, Word, decimal};
use crate::story::text::OTHER_DOMAIN;
use crate::story::{Action, Event, MAX_STORES, Tag, Verb};

pub(super) fn event(line: &mut Line<'_>, cpus: u8) -> Parsed<Event> {
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
    if alone(word) && word.at != first.at && first.text != OTHER_DOMAIN {
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
        Tag::DmaAlloc | Tag::DmaAllocWide => {
            let (first, count) = pages(line)?;
            line.keyword("->")?;
            let device = tag.device().unwrap_or(Device::Narrow);
            call(Verb::DmaAlloc { first, count, buffer: buffer(line)?, device })
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
