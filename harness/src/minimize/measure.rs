//! When a story is smaller than another: fewer events first, then fewer pauses, then fewer designs, then a plainer
//! header, then plainer operands.
//!
//! Events and pauses are the story: a reader follows each of them. A design that makes it shorter is worth being named.
//! One that does not is blamed for nothing, and the reader has to think through a kernel that is built otherwise: that is
//! worse than one CPU more or wilder hardware.

use machine::Pause;
use oracle::vocabulary::astray::{RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{Device, Mapping, MmCall, Owned, Place};

use crate::story::{Action, Event, Story, Verb};

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

/// The size of a story for which so many designs were asked for by name.
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
        Action::Call { verb, irqs_off } => verb_size(verb) + 100 * u32::from(irqs_off),
        Action::Fill { place } => place_size(place),
        Action::Deliver { from } => 10 * u32::from(from.is_some()),
        Action::DrainStores { count } => u32::from(count),
        Action::Continue | Action::GracePeriod | Action::RunWork | Action::Touch => 0,
    }
}

fn verb_size(verb: Verb) -> u32 {
    u32::from(match verb {
        Verb::AllocPage { page }
        | Verb::FreePage { page }
        | Verb::UnmakeTable { page }
        | Verb::SetPageFlag { page } => page.number(),
        // A drain is plainer.
        Verb::MakeTable { page } => 1 + page.number(),
        Verb::Vmap { first, count, area } => 16 * count + first.number() + area.number(),
        Verb::MapRam { first, count, ram } => 16 * count + first.number() + ram.number(),
        Verb::PinTree { first, count, tree } => 16 * count + first.number() + tree.number(),
        Verb::Vunmap { area }
        | Verb::Owned(
            Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } | Owned::Vfree { area },
        ) => area.number(),
        Verb::UnmapRam { ram } => ram.number(),
        Verb::UnpinTree { tree } => tree.number(),
        Verb::DrainAliases | Verb::TrackAliases => 0,
        // A device that reaches little is the usual one.
        Verb::DmaAlloc { first, count, buffer, device } => {
            16 * count + first.number() + buffer.number() + 64 * u8::from(device == Device::Wide)
        }
        Verb::DmaFree { buffer } => buffer.number(),
        Verb::DeviceRead { buffer, page } => buffer.number() + 16 * page,
        Verb::DeviceWrite { buffer, page } => return 200 + u32::from(buffer.number() + 16 * page),
        Verb::Raw(call) => return raw_size(call),
        Verb::Read { place } | Verb::Owned(Owned::Exec { place } | Owned::ReadDirect { place }) => {
            return place_size(place);
        }
        // A read is plainer than a write.
        Verb::Write { place } | Verb::Owned(Owned::WriteDirect { place, .. }) => {
            return 200 + place_size(place);
        }
        Verb::Owned(Owned::Vmalloc { count, area, huge }) => 16 * count + area.number() + 64 * u8::from(huge),
        Verb::Mm(MmCall::New { mm } | MmCall::Drop { mm }) => mm.number(),
        // The kernel's own is plainer.
        Verb::Mm(MmCall::Switch { to }) => to.mm().map_or(0, |mm| 1 + mm.number()),
    })
}

fn raw_size(call: RawCall) -> u32 {
    let pages: u32 = call.pages().map(|page| u32::from(page.number())).sum();
    pages
        + match call {
            RawCall::Update { index, entry, .. } | RawCall::UpdateVa { index, entry, .. } => {
                let allows = match entry {
                    RawEntry::Empty => 0,
                    RawEntry::Leads { to, access } => {
                        16 + 16 * access as u32 + 64 * u32::from(to == RawFrame::Foreign)
                    }
                };
                16 * u32::from(index) + allows
            }
            RawCall::Write { index, .. } => 16 * u32::from(index),
            RawCall::Pin { level, .. } => 16 * u32::from(level),
            RawCall::Unpin { .. } | RawCall::Exchange { .. } | RawCall::Flush => 0,
        }
}

fn place_size(place: Place) -> u32 {
    let slot = match place.mapping {
        Mapping::Area(area) => area.number(),
        Mapping::Ram(ram) => ram.number(),
        Mapping::Buffer(buffer) => buffer.number(),
    };
    u32::from(slot) + 16 * u32::from(place.page)
}
