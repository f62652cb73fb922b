//! One event, as it is read: its CPU, its operation, where it is to stop.

use std::sync::LazyLock;

use machine::{Family, Pause, Point, PointKind};
use oracle::vocabulary::{Call, Place, ROWS, UserPage};

use crate::story::codec;
use crate::story::line::{Line, Parsed, Word, decimal};
use crate::story::operand::Operand;
use crate::story::text::OTHER_DOMAIN;
use crate::story::{Action, Event, MAX_STORES, Tag};

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
        (cpu(line, first, cpus)?, line.word(&OPERATION)?)
    };
    let tag = Tag::of_word(word.text).ok_or_else(|| line.error(word, &OPERATION))?;
    if alone(word) && word.at != first.at && first.text != OTHER_DOMAIN {
        let where_to = if tag == Tag::Touch { "after d1" } else { "without a CPU" };
        return Err(line.error(word, &format!("{} {where_to}, or another operation", word.text)));
    }
    let mut action = action(line, tag, cpus)?;
    if let Action::Call(call) = &mut action
        && call.operation.row().irqs_off
    {
        call.irqs_off = line.optional("irqs-off");
    }
    let pause = if action.takes_pause() && line.optional("pause") { Some(pause(line)?) } else { None };
    let irqs_off_may_follow =
        matches!(action, Action::Call(call) if !call.irqs_off && call.operation.row().irqs_off);
    line.end(match (irqs_off_may_follow && pause.is_none(), action.takes_pause() && pause.is_none()) {
        (true, _) => "irqs-off, a pause or the end of the line",
        (false, true) => "a pause or the end of the line",
        (false, false) => "the end of the line",
    })?;
    Ok(Event { cpu, action, pause })
}

/// What is expected where an event says what is done.
static OPERATION: LazyLock<String> = LazyLock::new(|| {
    let (one, other) = (ROWS[2].word, ROWS[7].word);
    format!("an operation like {one}, {other} or {}", Tag::Continue.word())
});

fn action(line: &mut Line<'_>, tag: Tag, cpus: u8) -> Parsed<Action> {
    if let Some(operation) = codec::parse(tag, line)? {
        return Ok(Action::Call(Call { operation, irqs_off: false }));
    }
    Ok(match tag {
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
        Tag::Fill => Action::Fill { place: Place::parse(line)? },
        Tag::FillUser => Action::FillUser { at: UserPage::parse(line)? },
        Tag::DrainStores => {
            Action::DrainStores { count: line.number_in("a number of stores", 1, MAX_STORES)? }
        }
        Tag::GracePeriod => Action::GracePeriod,
        Tag::RunWork => Action::RunWork,
        Tag::Touch => Action::Touch,
        Tag::HostPreempt => Action::HostPreempt,
        Tag::HostEnter => Action::HostEnter,
        Tag::ApplyBroadcast => Action::ApplyBroadcast,
        _ => unreachable!("its word begins no event: {tag:?}"),
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
