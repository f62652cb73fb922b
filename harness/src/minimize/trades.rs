//! Trades: something else gets larger, and one or two events are left out for it. A mapping takes more pages than two
//! smaller ones did together; a wilder walker does by itself what a line told it to do; a flush reaches more CPUs; a pause
//! moves to where another line is not needed; an event that is held up is told later instead, or any at another place; an
//! event moves to a CPU whose paused operation it ends, so that no line of its own does; a plain drain or flush does what
//! another operation did by the way, and needs none of the lines that prepared it; with fewer CPUs less has to be told to
//! them; a table of a lower level needs fewer to be linked.

use machine::{Pause, Temperament};
use oracle::vocabulary::astray::RawCall;
use oracle::vocabulary::{AreaSlot, BufferSlot, Device, MmCall, Owned, PageSlot, RamSlot, SLOTS};

use crate::story::{Action, Event, MAX_CPUS, Story, Verb};

use super::Shrink;

/// Up to so many events trades are tried.
const EVENTS: usize = 16;

/// Up to so many events wilder walkers are tried, which are one change and no more.
const EVENTS_FOR_WALKERS: usize = 40;

/// Up to so many events it is tried to drain instead of an operation that is paused, which takes long.
const EVENTS_TO_DRAIN: usize = 8;

/// Up to so many events each is held up where it was not, which takes long.
const EVENTS_TO_HOLD_UP: usize = 7;

/// Pauses beyond this number are not tried: operations have fewer points, but for the largest.
const FARTHEST: u16 = 120;
const FARTHEST_IN_AN_EXCHANGE: u16 = 240;

/// The most pages that a mapping is given.
const PAGES: u8 = 4;

/// Nothing but a flush, on every CPU.
const FLUSH: Action = Action::Call { verb: Verb::Raw(RawCall::Flush), irqs_off: false };

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    if shrink.story.events.len() <= EVENTS_FOR_WALKERS && walkers(shrink) {
        return;
    }
    while shrink.story.events.len() <= EVENTS && !shrink.stopped {
        if !(pages(shrink)
            || more_cpus(shrink)
            || cpus(shrink)
            || moves(shrink)
            || orders(shrink)
            || pauses(shrink)
            || drains(shrink)
            || drains_of_whole_blocks(shrink)
            || takers(shrink)
            || flushes(shrink)
            || fewer_cpus(shrink)
            || lower_tables(shrink)
            || new_pauses(shrink)
            || exchanges(shrink))
        {
            return;
        }
    }
}

fn walkers(shrink: &mut Shrink<'_>) -> bool {
    let eager = Temperament::EAGER_WALKERS;
    !shrink.story.header.temperament.contains(eager)
        && for_one_or_two(shrink, &|story| {
            story.header.temperament.insert(eager);
            true
        })
}

fn pages(shrink: &mut Shrink<'_>) -> bool {
    (0..shrink.story.events.len()).any(|index| {
        (2..=PAGES).any(|more| {
            for_one_or_two(shrink, &|story| match &mut story.events[index].action {
                Action::Call {
                    verb:
                        Verb::Vmap { count, .. }
                        | Verb::MapRam { count, .. }
                        | Verb::DmaAlloc { count, .. }
                        | Verb::Owned(Owned::Vmalloc { count, .. }),
                    ..
                } => {
                    let grows = *count < more;
                    *count = more;
                    grows
                }
                _ => false,
            })
        })
    })
}

fn more_cpus(shrink: &mut Shrink<'_>) -> bool {
    (shrink.story.header.cpus + 1..=MAX_CPUS).any(|cpus| {
        for_one_or_two(shrink, &|story| {
            story.header.cpus = cpus;
            true
        })
    })
}

fn cpus(shrink: &mut Shrink<'_>) -> bool {
    (0..shrink.story.events.len()).any(|index| {
        (0..shrink.story.header.cpus).any(|cpu| {
            for_one_or_two(shrink, &|story| {
                let moved = &mut story.events[index].cpu;
                let differs = *moved != cpu;
                *moved = cpu;
                differs
            })
        })
    })
}

/// An event that was held up until another had happened is told after it, and held up no more.
fn moves(shrink: &mut Shrink<'_>) -> bool {
    (1..shrink.story.events.len()).any(|index| {
        shrink.story.events[index - 1].pause.is_some()
            && for_one_or_two(shrink, &|story| {
                story.events.swap(index - 1, index);
                story.events[index].pause = None;
                true
            })
    })
}

/// One event is told at another place.
fn orders(shrink: &mut Shrink<'_>) -> bool {
    let count = shrink.story.events.len();
    (0..count).any(|from| {
        (0..count).filter(|to| *to != from).any(|to| {
            for_one_or_two(shrink, &|story| {
                let event = story.events.remove(from);
                story.events.insert(to, event);
                true
            })
        })
    })
}

fn pauses(shrink: &mut Shrink<'_>) -> bool {
    (0..shrink.story.events.len()).any(|paused| {
        shrink.story.events[paused].pause.is_some()
            && (1..=FARTHEST).any(|number| {
                (0..shrink.story.events.len()).filter(|left_out| *left_out != paused).any(|left_out| {
                    shrink.attempt_with(|story| {
                        story.events[paused].pause = Some(Pause::At(number));
                        story.events.remove(left_out);
                    })
                })
            })
    })
}

/// An event that went on to its end is held up, and two others do not have to bring about what is met in between.
fn new_pauses(shrink: &mut Shrink<'_>) -> bool {
    let count = shrink.story.events.len();
    count <= EVENTS_TO_HOLD_UP
        && (0..count).any(|index| {
            shrink.story.events[index].action.takes_pause()
                && (1..=FARTHEST).any(|number| {
                    for_one_or_two(shrink, &|story| {
                        story.events[index].pause = Some(Pause::At(number));
                        true
                    })
                })
        })
}

/// A page that a caller exchanged is exchanged by the kernel, for a buffer: that goes on for longer and can be held up. What
/// prepared it need have done no more than flush.
fn exchanges(shrink: &mut Shrink<'_>) -> bool {
    let count = shrink.story.events.len();
    count <= EVENTS_TO_HOLD_UP
        && (0..count).any(|index| {
            let Action::Call { verb: Verb::Raw(RawCall::Exchange { page }), .. } =
                shrink.story.events[index].action
            else {
                return false;
            };
            let (buffer, device) = (BufferSlot::new(SLOTS - 1), Device::Narrow);
            let verb = Verb::DmaAlloc { first: page, count: 1, buffer, device };
            (0..=index).any(|before| {
                (1..=FARTHEST_IN_AN_EXCHANGE).any(|number| {
                    for_one_or_two(shrink, &|story| {
                        // The exchange itself is none of those before it.
                        story.events[before].action = FLUSH;
                        story.events[index].action = Action::Call { verb, irqs_off: false };
                        story.events[index].pause = Some(Pause::At(number));
                        true
                    })
                })
            })
        })
}

fn drains(shrink: &mut Shrink<'_>) -> bool {
    let count = shrink.story.events.len();
    (0..count).any(|index| {
        let event = shrink.story.events[index];
        let Action::Call { verb, .. } = event.action else { return false };
        let farthest = if event.pause.is_some() { FARTHEST } else { 1 };
        verb != Verb::DrainAliases
            && (event.pause.is_none() || count <= EVENTS_TO_DRAIN)
            && (1..=farthest).any(|number| {
                for_one_or_two(shrink, &|story| {
                    let drain = Action::Call { verb: Verb::DrainAliases, irqs_off: false };
                    story.events[index].action = drain;
                    story.events[index].pause = event.pause.map(|_| Pause::At(number));
                    true
                })
            })
    })
}

/// What ran out of space gave up blocks that a drain leaves alone, for lack of slots that were handed out: they are used up
/// first.
fn drains_of_whole_blocks(shrink: &mut Shrink<'_>) -> bool {
    (0..shrink.story.events.len()).any(|index| {
        let maps = matches!(
            shrink.story.events[index],
            Event {
                action: Action::Call { verb: Verb::Vmap { .. } | Verb::MapRam { .. }, .. },
                pause: None,
                ..
            }
        );
        maps && for_one_or_two(shrink, &|story| {
            story.events[index].action = Action::Call { verb: Verb::DrainAliases, irqs_off: false };
            let mut grown = false;
            for event in &mut story.events[..index] {
                if let Action::Call { verb: Verb::MapRam { count, .. }, .. } = &mut event.action {
                    grown |= *count < PAGES;
                    *count = PAGES;
                }
            }
            grown
        })
    })
}

/// What takes room or frames gives way to something that takes more of them at once; and whoever drained because a page
/// became a table, which takes one too, drains because it was told to.
fn takers(shrink: &mut Shrink<'_>) -> bool {
    let makes_tables = shrink.story.events.iter().any(|event| drained_for_a_table(event.action).is_some());
    (0..shrink.story.events.len()).any(|index| {
        takes(shrink.story.events[index].action)
            && (0..PAGES * PAGES).any(|number| {
                let (first, count) = (PageSlot::new(number % PAGES), 1 + number / PAGES);
                let (buffer, device) = (BufferSlot::new(SLOTS - 1), Device::Narrow);
                [
                    Verb::Vmap { first, count, area: AreaSlot::new(SLOTS - 1) },
                    Verb::MapRam { first, count, ram: RamSlot::new(SLOTS - 1) },
                    Verb::DmaAlloc { first, count, buffer, device },
                ]
                .into_iter()
                .any(|taker| {
                    for_one_or_two(shrink, &|story| takes_more(story, index, taker, false))
                        || (makes_tables
                            && for_one_or_two(shrink, &|story| takes_more(story, index, taker, true)))
                })
            })
    })
}

fn takes(action: Action) -> bool {
    let Action::Call { verb, .. } = action else { return false };
    matches!(
        verb,
        Verb::Vmap { .. }
            | Verb::MapRam { .. }
            | Verb::DmaAlloc { .. }
            | Verb::Owned(Owned::Vmalloc { .. })
            | Verb::Raw(RawCall::Exchange { .. })
            | Verb::Mm(MmCall::New { .. })
    )
}

/// Whether this changes the story.
fn takes_more(story: &mut Story, index: usize, taker: Verb, drains: bool) -> bool {
    let Action::Call { verb, .. } = &mut story.events[index].action else { return false };
    let differs = *verb != taker;
    *verb = taker;
    for event in story.events.iter_mut().filter(|_| drains) {
        event.action = drained_for_a_table(event.action).unwrap_or(event.action);
    }
    differs
}

/// A plain drain in the place of what makes a page a table.
fn drained_for_a_table(action: Action) -> Option<Action> {
    let Action::Call { verb: Verb::MakeTable { .. }, irqs_off } = action else { return None };
    Some(Action::Call { verb: Verb::DrainAliases, irqs_off })
}

/// What made everybody flush by the way gives way to a plain flush.
fn flushes(shrink: &mut Shrink<'_>) -> bool {
    (0..shrink.story.events.len()).any(|index| {
        for_one_or_two(shrink, &|story| {
            let event = &mut story.events[index];
            let changes = event.action != FLUSH && event.pause.is_none();
            event.action = FLUSH;
            changes
        })
    })
}

/// With fewer CPUs a clock that all of them move wraps later, and less is told to get it elsewhere. Those to which nothing
/// is told go, but for one.
fn fewer_cpus(shrink: &mut Shrink<'_>) -> bool {
    let mut used: Vec<u8> = shrink.story.events.iter().map(|event| event.cpu).collect();
    used.sort_unstable();
    used.dedup();
    let count = used.len() as u8;
    (count..=count + 1).any(|cpus| {
        for_one_or_two(shrink, &|story| {
            let fewer = cpus < story.header.cpus;
            story.header.cpus = cpus.min(story.header.cpus);
            for event in &mut story.events {
                event.cpu = used.iter().position(|cpu| *cpu == event.cpu).map_or(0, |place| place as u8);
                if let Action::Deliver { from } = &mut event.action {
                    *from = None;
                }
            }
            fewer
        })
    })
}

/// A table that a caller pinned is pinned one level lower, and is what the table below it was: that need not be linked any more.
fn lower_tables(shrink: &mut Shrink<'_>) -> bool {
    (0..shrink.story.events.len()).any(|index| {
        let Action::Call { verb: Verb::Raw(RawCall::Pin { page, level: 2.. }), .. } =
            shrink.story.events[index].action
        else {
            return false;
        };
        (0..SLOTS).map(PageSlot::new).filter(|below| *below != page).any(|below| {
            for_one_or_two(shrink, &|story| {
                if let Action::Call { verb: Verb::Raw(RawCall::Pin { level, .. }), .. } =
                    &mut story.events[index].action
                {
                    *level -= 1;
                }
                story.events.iter_mut().fold(false, |changed, event| changed | stands_for(event, below, page))
            })
        })
    })
}

/// Whether a raw hypercall changes an entry of this table: then it changes one of the other instead.
fn stands_for(event: &mut Event, old: PageSlot, new: PageSlot) -> bool {
    match &mut event.action {
        Action::Call {
            verb:
                Verb::Raw(
                    RawCall::Update { table, .. }
                    | RawCall::UpdateVa { table, .. }
                    | RawCall::Write { table, .. },
                ),
            ..
        } if *table == old => {
            *table = new;
            true
        }
        _ => false,
    }
}

/// Makes a change, if it is one, and leaves one event out for it, or two.
fn for_one_or_two(shrink: &mut Shrink<'_>, change: &dyn Fn(&mut Story) -> bool) -> bool {
    let mut changed = shrink.story.clone();
    if !change(&mut changed) {
        return false;
    }
    let count = changed.events.len();
    (0..count).any(|first| {
        (first..count).any(|second| {
            let mut candidate = changed.clone();
            candidate.events.remove(second);
            if second != first {
                candidate.events.remove(first);
            }
            shrink.attempt(&candidate)
        })
    })
}
