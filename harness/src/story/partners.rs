//! Partners of an operation that is held up: events that act on its operands meanwhile, in each role that a page, a mapping or an
//! address space can take at that moment; and what uses and undoes what a partner has made. A role that is taken and given up
//! again leaves the operand as it was. CPUs may remember it all the same, and the held-up operation has not seen it.
//!
//! It knows what callers may do with what they hold; it must not know any bug.

use super::Tag;
use super::dice::Dice;
use super::slots::{Operands, SlotSet, Slots};
use super::swarm::Swarm;

/// An event that can act on one of these operands now, each role as often as any other. None if all are busy.
pub(super) fn partner(dice: &mut Dice, swarm: &Swarm, slots: &Slots, on: &Operands) -> Option<Tag> {
    let mut roles = [Tag::Fill; MOST];
    let mut count = 0;
    let mut may = |there: SlotSet, tags: &[Tag]| {
        for tag in tags.iter().filter(|_| !there.is_empty()) {
            roles[count] = *tag;
            count += 1;
        }
    };
    let (areas, rams, buffers) = (slots.areas, slots.rams, slots.buffers);
    let plain = areas.live.without(areas.owned);
    let own = areas.live & areas.owned;
    may(on.pages & slots.pages, &PAGES);
    may(on.pages & slots.idle_pages(), &IDLE_PAGES);
    if swarm.dma {
        may(on.pages & slots.idle_pages(), &[Tag::DmaAlloc, Tag::DmaAllocWide]);
    }
    may(on.pages & slots.tables, &[Tag::UnmakeTable]);
    may(on.pages & slots.raw, &RAW_PAGES);
    let mapped = (on.areas & areas.live).or(on.rams & rams.live).or(on.buffers & buffers.live);
    may(mapped, &[Tag::Read, Tag::Write]);
    let known = (on.areas & areas.known).or(on.rams & rams.known).or(on.buffers & buffers.known);
    may(known, &[Tag::Fill]);
    may(on.areas & plain.without(areas.used), &[Tag::Vunmap]);
    may(on.rams & rams.live.without(rams.used), &[Tag::UnmapRam]);
    may(on.areas & own, &[Tag::Exec, Tag::ReadDirect, Tag::WriteDirect]);
    may(on.areas & own.without(areas.used), &[Tag::Vfree]);
    may(on.areas & own.without(areas.changing), &CHANGES);
    may(on.buffers & buffers.live, &[Tag::DeviceRead, Tag::DeviceWrite]);
    may(on.buffers & buffers.live.without(buffers.used), &[Tag::DmaFree]);
    may(on.mms & slots.mms, &[Tag::SwitchMm]);
    may(on.mms & slots.mms.without(slots.entered_mms), &[Tag::DropMm]);
    (count > 0).then(|| dice.pick(&roles[..count]))
}

const PAGES: [Tag; 3] = [Tag::Vmap, Tag::MapRam, Tag::SetPageFlag];
const IDLE_PAGES: [Tag; 3] = [Tag::FreePage, Tag::MakeTable, Tag::PinTree];
/// A guest gone astray does most of what it can do with a page by an entry.
const RAW_PAGES: [Tag; 8] = [
    Tag::HvUpdate,
    Tag::HvUpdate,
    Tag::HvUpdate,
    Tag::HvUpdateVa,
    Tag::HvWrite,
    Tag::HvPin,
    Tag::HvUnpin,
    Tag::HvExchange,
];
const CHANGES: [Tag; 5] =
    [Tag::SetMemoryRo, Tag::SetMemoryRox, Tag::SetMemoryRw, Tag::SetMemoryWc, Tag::SetMemoryWb];

/// Room for every role.
const MOST: usize = 40;

/// What an event needs to act on an operand, if it is not there yet: an entry that leads to a page stands in a table.
pub(super) fn needed_by(tag: Tag, slots: &Slots) -> Option<Tag> {
    (tag == Tag::HvUpdate && slots.pinned.is_empty()).then_some(Tag::HvPin)
}

/// What uses that which this event makes, if anything can.
pub(super) const fn used_by(tag: Tag) -> Option<Tag> {
    Some(match tag {
        Tag::Vmap | Tag::MapRam | Tag::DmaAlloc | Tag::DmaAllocWide | Tag::Vmalloc | Tag::VmallocHuge => {
            Tag::Write
        }
        Tag::SetMemoryRo | Tag::SetMemoryRw | Tag::SetMemoryWc => Tag::WriteDirect,
        Tag::SetMemoryRox => Tag::Exec,
        Tag::HvUpdate => Tag::HvWrite,
        _ => return None,
    })
}

/// What undoes that which this event makes, if anything can.
pub(super) const fn undone_by(tag: Tag) -> Option<Tag> {
    Some(match tag {
        Tag::AllocPage => Tag::FreePage,
        Tag::Vmap => Tag::Vunmap,
        Tag::MapRam => Tag::UnmapRam,
        Tag::MakeTable => Tag::UnmakeTable,
        Tag::PinTree => Tag::UnpinTree,
        Tag::DmaAlloc | Tag::DmaAllocWide => Tag::DmaFree,
        Tag::Vmalloc | Tag::VmallocHuge => Tag::Vfree,
        Tag::SetMemoryRo | Tag::SetMemoryRox => Tag::SetMemoryRw,
        Tag::SetMemoryWc => Tag::SetMemoryWb,
        Tag::HvPin => Tag::HvUnpin,
        // An entry that was set is cleared.
        Tag::HvUpdate => Tag::HvUpdate,
        Tag::HvUpdateVa => Tag::HvUpdateVa,
        Tag::NewMm => Tag::DropMm,
        Tag::SwitchMm => Tag::SwitchMm,
        _ => return None,
    })
}
