//! Trades: something else gets larger, and one or two events are left out for it. A mapping takes more pages than two
//! smaller ones did together; a wilder walker does by itself what a line told it to do; a flush reaches more CPUs; a pause
//! moves to where another line is not needed; an event that is held up is told later instead, or any at another place; an
//! event moves to a CPU whose paused operation it ends, so that no line of its own does; a plain drain or flush does what
//! another operation did by the way, and needs none of the lines that prepared it; with fewer CPUs less has to be told to
//! them.

use machine::{Pause, Temperament};
use oracle::vocabulary::Call;

use crate::story::{Action, MAX_CPUS, Story, codec};

use crate::tactics::aliases::DRAIN;
use crate::tactics::astray::FLUSH;

use super::Shrink;

/// Up to this many events trades are tried.
const EVENTS: usize = 16;

/// Up to this many events wilder walkers are tried, which are one change and no more.
const EVENTS_FOR_WALKERS: usize = 40;

/// Up to this many events it is tried to drain instead of an operation that is paused, which takes long.
const EVENTS_TO_DRAIN: usize = 8;

/// Up to this many events each is held up where it was not, which takes long.
const EVENTS_TO_HOLD_UP: usize = 7;

/// Pauses beyond this number are not tried: operations have fewer points, but for the largest.
const FARTHEST: u16 = 120;

/// The most pages that a mapping is given.
const PAGES: u8 = 4;

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
            || flushes(shrink)
            || fewer_cpus(shrink)
            || new_pauses(shrink))
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
            for_one_or_two(shrink, &|story| {
                let Action::Call(call) = &mut story.events[index].action else { return false };
                let grown = codec::grown(&call.operation, more);
                call.operation = grown.unwrap_or(call.operation);
                grown.is_some()
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

fn drains(shrink: &mut Shrink<'_>) -> bool {
    let count = shrink.story.events.len();
    (0..count).any(|index| {
        let event = shrink.story.events[index];
        let Action::Call(call) = event.action else { return false };
        let farthest = if event.pause.is_some() { FARTHEST } else { 1 };
        call.operation != DRAIN
            && (event.pause.is_none() || count <= EVENTS_TO_DRAIN)
            && (1..=farthest).any(|number| {
                for_one_or_two(shrink, &|story| {
                    story.events[index].action = Action::Call(Call { operation: DRAIN, irqs_off: false });
                    story.events[index].pause = event.pause.map(|_| Pause::At(number));
                    true
                })
            })
    })
}

/// What made every CPU flush by the way gives way to a plain flush.
fn flushes(shrink: &mut Shrink<'_>) -> bool {
    let flush = Action::Call(Call { operation: FLUSH, irqs_off: false });
    (0..shrink.story.events.len()).any(|index| {
        for_one_or_two(shrink, &|story| {
            let event = &mut story.events[index];
            let changes = event.action != flush && event.pause.is_none();
            event.action = flush;
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
