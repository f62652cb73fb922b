//! When a story is smaller than another: fewer events first, then fewer pauses, then fewer designs, then a plainer
//! header, then plainer operands.
//!
//! Events and pauses are the story: a reader follows each of them. A design that makes it shorter is worth being named.
//! One that does not is blamed for nothing, and the reader has to think through a kernel that is built otherwise: that is
//! worse than one CPU more or wilder hardware.

use crate::story::operand::Operand;
use crate::story::{Action, Event, Story, codec};
use crate::tactics;
use machine::Pause;

/// Compared in the order of its fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Measure {
    events: usize,
    pauses: usize,
    designs: usize,
    cpus: u8,
    temperament: u32,
    backends: u32,
    sizes: u8,
    operands: u32,
    seats: u32,
    depth: u64,
}

/// The size of a story for which this many designs were asked for by name.
pub(super) fn measure(story: &Story, asked_for: usize) -> Measure {
    let header = &story.header;
    Measure {
        events: story.events.len(),
        pauses: story.events.iter().filter(|event| event.pause.is_some()).count(),
        designs: header.designs.changed().count() + asked_for,
        cpus: header.cpus,
        temperament: header.temperament.bits().count_ones(),
        backends: header.backends.bits().count_ones(),
        sizes: header.sizes as u8,
        operands: story.events.iter().map(operands).sum(),
        seats: story.events.iter().map(|event| u32::from(event.cpu)).sum(),
        depth: story.events.iter().filter_map(|event| event.pause).map(depth).sum(),
    }
}

fn depth(pause: Pause) -> u64 {
    match pause {
        Pause::At(number) => u64::from(number),
        Pause::Before { occurrence, .. } => u64::from(occurrence),
    }
}

fn operands(event: &Event) -> u32 {
    match event.action {
        Action::Call(call) => {
            let of_its_kind = tactics::of(event.action.tag()).size;
            of_its_kind + codec::size(&call.operation) + 100 * u32::from(call.irqs_off)
        }
        Action::Fill { place } => place.size(),
        Action::FillUser { at } => at.size(),
        Action::Deliver { from } => 10 * u32::from(from.is_some()),
        Action::DrainStores { count } => u32::from(count),
        Action::Continue
        | Action::GracePeriod
        | Action::RunWork
        | Action::HostPreempt
        | Action::HostEnter
        | Action::ApplyBroadcast
        | Action::Touch => 0,
    }
}
