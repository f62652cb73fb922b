//! What goes well with what, as kernel people know it: what usually follows an operation, what happens while one is held
//! up, and where the next is held up. No known bug is spelled out here, and none may be.

use machine::Pause;
use oracle::vocabulary::astray::{RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{Call, Mapping, MemoryType, MmCall, Operation, Owned};

use super::dice::Dice;
use super::pauses;
use super::{ResolvedAction, Tag, Told};

/// What usually follows an operation, on any CPU or on another one.
pub(super) fn follows(
    dice: &mut Dice,
    operation: &Operation,
    dma: bool,
    (any, other): (u8, u8),
) -> Option<(Tag, u8)> {
    match *operation {
        Operation::Vmap { .. } | Operation::MapRam { .. } => {
            const NEXT: [Tag; 10] = [
                Tag::Read,
                Tag::Read,
                Tag::Read,
                Tag::Read,
                Tag::Write,
                Tag::Write,
                Tag::Fill,
                Tag::Fill,
                Tag::HvFlush,
                Tag::MakeTable,
            ];
            Some((dice.pick(&NEXT), other))
        }
        Operation::Read { place } | Operation::Write { place, .. } => {
            let unmap = match place.mapping {
                Mapping::Area(_) => Tag::Vunmap,
                Mapping::Ram(_) => Tag::UnmapRam,
                Mapping::Buffer(_) => Tag::DmaFree,
            };
            Some((unmap, any))
        }
        Operation::Vunmap { .. } | Operation::UnmapRam { .. } => {
            const NEXT: [Tag; 10] = [
                Tag::DrainAliases,
                Tag::DrainAliases,
                Tag::Vmap,
                Tag::MapRam,
                Tag::FreePage,
                Tag::MakeTable,
                Tag::MakeTable,
                Tag::PinTree,
                Tag::Fill,
                Tag::DmaAlloc,
            ];
            Some((dice.pick(&NEXT), any)).filter(|(tag, _)| dma || *tag != Tag::DmaAlloc)
        }
        Operation::DmaAlloc { .. } => {
            const NEXT: [Tag; 6] =
                [Tag::Write, Tag::DeviceRead, Tag::DeviceWrite, Tag::Read, Tag::Touch, Tag::DmaFree];
            Some((dice.pick(&NEXT), other))
        }
        Operation::DmaFree { .. } => {
            const NEXT: [Tag; 4] = [Tag::DmaAlloc, Tag::DmaAllocWide, Tag::Touch, Tag::DrainAliases];
            Some((dice.pick(&NEXT), any))
        }
        Operation::DeviceRead { .. } => Some((Tag::Write, any)),
        Operation::DeviceWrite { .. } => Some((Tag::Read, any)),
        Operation::DrainAliases => Some((dice.pick(&[Tag::Vmap, Tag::MapRam, Tag::MakeTable]), any)),
        Operation::FreePage { .. } => Some((Tag::AllocPage, any)),
        Operation::AllocPage { .. } => Some((dice.pick(&[Tag::MakeTable, Tag::Vmap, Tag::MapRam]), any)),
        Operation::MakeTable { .. } => Some((Tag::UnmakeTable, any)),
        Operation::PinTree { .. } => Some((Tag::UnpinTree, any)),
        Operation::SetPageFlag { .. } | Operation::TrackAliases => {
            Some((dice.pick(&[Tag::Vmap, Tag::MapRam, Tag::MakeTable]), any))
        }
        Operation::UnmakeTable { .. } | Operation::UnpinTree { .. } => None,
        Operation::Raw(call) => after_raw(dice, call).map(|tag| (tag, any)),
        Operation::Owned(owned) => Some(after_owned(dice, owned, any, other)),
        Operation::Mm(call) => Some(after_mm(dice, call, any, other)),
    }
}

/// What usually follows an operation on an address space.
fn after_mm(dice: &mut Dice, call: MmCall, any: u8, other: u8) -> (Tag, u8) {
    use Tag::{DrainAliases, DropMm, Fill, MapRam, NewMm, Read, SwitchMm, Vmap, Vunmap};
    match call {
        MmCall::New { .. } => (SwitchMm, any),
        MmCall::Switch { .. } => {
            let next = [Vmap, MapRam, Vunmap, Read, Fill, DropMm, SwitchMm, SwitchMm];
            (dice.pick(&next), any)
        }
        MmCall::Drop { .. } => (dice.pick(&[NewMm, Vmap, Vmap, Fill, DrainAliases]), other),
    }
}

/// What usually follows an operation on an area that owns its pages.
fn after_owned(dice: &mut Dice, owned: Owned, any: u8, other: u8) -> (Tag, u8) {
    use Tag::{
        DrainAliases, Exec, SetMemoryRo, SetMemoryRox, SetMemoryRw, SetMemoryWb, SetMemoryWc, Vfree, Vmalloc,
        VmallocHuge, WriteDirect,
    };
    match owned {
        Owned::Vmalloc { .. } => {
            let next = [
                WriteDirect,
                Tag::Write,
                SetMemoryRox,
                SetMemoryRox,
                SetMemoryRo,
                SetMemoryWc,
                SetMemoryWc,
                Vfree,
            ];
            (dice.pick(&next), if dice.percent(50) { any } else { other })
        }
        Owned::SetMemory { access, .. } if access.executes() => {
            (dice.pick(&[Exec, Vfree, SetMemoryRw]), other)
        }
        Owned::SetMemory { .. } => (dice.pick(&[Tag::Write, WriteDirect, Vfree, SetMemoryRox]), other),
        Owned::SetMemoryType { memory_type: MemoryType::WriteCombining, .. } => {
            (dice.pick(&[SetMemoryWb, SetMemoryWb, Vfree, Tag::Write, WriteDirect]), other)
        }
        Owned::SetMemoryType { .. } => (dice.pick(&[SetMemoryWc, Vfree, Tag::Write]), other),
        Owned::Vfree { .. } => (dice.pick(&[Vmalloc, Vmalloc, VmallocHuge, DrainAliases]), any),
        Owned::Exec { .. } => (dice.pick(&[Vfree, SetMemoryRw]), other),
        Owned::ReadDirect { .. } | Owned::WriteDirect { .. } => {
            (dice.pick(&[SetMemoryRo, SetMemoryRox, SetMemoryWc, Vfree]), other)
        }
    }
}

/// Whether it has few points, and of those few where others matter.
pub(super) const fn is_short(tag: Tag) -> bool {
    tag.is_raw() || matches!(tag, Tag::SwitchMm)
}

/// Whether it makes a mapping. A story holds a limited number of those at once.
pub(super) const fn makes_mapping(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Vmap | Tag::MapRam | Tag::DmaAlloc | Tag::DmaAllocWide | Tag::Vmalloc | Tag::VmallocHuge
    )
}

/// What happens while an operation is paused.
pub(super) const MEANWHILE: [Tag; 12] = [
    Tag::DrainAliases,
    Tag::DrainAliases,
    Tag::Deliver,
    Tag::Deliver,
    Tag::Fill,
    Tag::Fill,
    Tag::Read,
    Tag::Vunmap,
    Tag::UnmapRam,
    Tag::Vmap,
    Tag::MapRam,
    Tag::RunWork,
];

/// By what a paused operation is let go on: what begins something on its CPU does so too.
pub(super) fn goes_on(dice: &mut Dice, told: &Told, meanwhile: Tag) -> Tag {
    let unmaps =
        |call: &Call| matches!(call.operation, Operation::Vunmap { .. } | Operation::UnmapRam { .. });
    let unmapped = matches!(meanwhile, Tag::Vunmap | Tag::UnmapRam)
        || matches!(&told.action, ResolvedAction::Call(call) if unmaps(call));
    if unmapped && dice.percent(40) { Tag::MakeTable } else { Tag::Continue }
}

/// What goes well with an operation that is paused, more than with others.
pub(super) fn during(dice: &mut Dice, operation: &Operation) -> Option<Tag> {
    match operation {
        Operation::MakeTable { .. } | Operation::PinTree { .. } if dice.percent(40) => {
            Some(dice.pick(&[Tag::Vunmap, Tag::UnmapRam]))
        }
        Operation::Raw(RawCall::Update { .. }) if dice.percent(80) => {
            Some(dice.pick(&[Tag::HvPin, Tag::HvPin, Tag::HvPin, Tag::HvWrite, Tag::HvFlush]))
        }
        Operation::Raw(RawCall::Exchange { .. }) if dice.percent(80) => Some(dice.pick(&[
            Tag::HvUpdate,
            Tag::HvUpdate,
            Tag::HvExchange,
            Tag::HvExchange,
            Tag::HvExchange,
        ])),
        Operation::Raw(RawCall::UpdateVa { .. }) if dice.percent(80) => Some(Tag::HvUpdate),
        Operation::Raw(RawCall::Pin { .. } | RawCall::Unpin { .. }) if dice.percent(60) => {
            Some(dice.pick(&[Tag::HvUpdate, Tag::HvUpdate, Tag::HvUpdate, Tag::HvUpdateVa, Tag::HvPin]))
        }
        Operation::DmaAlloc { .. } | Operation::DmaFree { .. } if dice.percent(40) => {
            Some(dice.pick(&[Tag::DmaAlloc, Tag::DmaAllocWide, Tag::DmaFree, Tag::DmaFree]))
        }
        Operation::Raw(RawCall::Flush) if dice.percent(60) => {
            Some(dice.pick(&[Tag::Vunmap, Tag::UnmapRam, Tag::Vunmap, Tag::UnmapRam, Tag::HvUpdate]))
        }
        Operation::Vunmap { .. } | Operation::UnmapRam { .. } if dice.percent(25) => Some(Tag::HvFlush),
        Operation::Mm(MmCall::Switch { .. }) if dice.percent(70) => Some(Tag::DropMm),
        Operation::Mm(_) if dice.percent(70) => {
            Some(dice.pick(&[Tag::Vmap, Tag::Vmap, Tag::MapRam, Tag::Vunmap, Tag::DrainAliases]))
        }
        _ => None,
    }
}

/// Where what follows is held up now and then: half done, or before the entry that it changes.
pub(super) fn held_next(dice: &mut Dice, operation: &Operation, next: Tag) -> Option<Pause> {
    let (often, pause) = match (operation, next) {
        (_, Tag::HvExchange) => (40, pauses::BEFORE_REFERENCE),
        (Operation::Mm(MmCall::Switch { .. }), Tag::DropMm) => (40, pauses::WHILE_ONE_LEAVES),
        (Operation::Vmap { .. } | Operation::MapRam { .. }, Tag::MakeTable) => (60, pauses::BEFORE_MEMORY),
        (Operation::Vmap { .. } | Operation::MapRam { .. }, Tag::HvFlush) => (70, pauses::BEFORE_TICK),
        (Operation::Raw(RawCall::Update { .. }), Tag::HvUpdate) => (35, pauses::BEFORE_ENTRY),
        (Operation::Read { .. } | Operation::Write { .. }, Tag::Vunmap | Tag::UnmapRam) => {
            (8, pauses::BEFORE_ENTRY)
        }
        _ => return None,
    };
    dice.percent(often).then_some(pause)
}

/// What usually follows a raw hypercall.
fn after_raw(dice: &mut Dice, call: RawCall) -> Option<Tag> {
    match call {
        RawCall::Pin { .. } => {
            const NEXT: [Tag; 7] = [
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvExchange,
                Tag::HvUpdateVa,
            ];
            Some(dice.pick(&NEXT))
        }
        RawCall::Write { .. } | RawCall::Unpin { .. } => Some(Tag::HvUpdate),
        RawCall::UpdateVa { .. } => Some(dice.pick(&[Tag::HvUpdate, Tag::HvWrite, Tag::HvUnpin])),
        RawCall::Exchange { .. } => Some(dice.pick(&[Tag::HvUpdate, Tag::Touch])),
        RawCall::Update { .. } => {
            const NEXT: [Tag; 7] = [
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvPin,
                Tag::HvUpdateVa,
            ];
            Some(dice.pick(&NEXT))
        }
        RawCall::Flush => None,
    }
}

/// Whether a raw hypercall made something that others can be about.
pub(super) const fn is_to_build_upon(call: RawCall) -> bool {
    matches!(
        call,
        RawCall::Pin { .. }
            | RawCall::Exchange { .. }
            | RawCall::Update { entry: RawEntry::Leads { to: RawFrame::Page(_), .. }, .. }
    )
}

/// The mapping that an event is about.
pub(super) fn subject(told: &Told) -> Option<Mapping> {
    match told.action {
        ResolvedAction::Fill { place } => Some(place.mapping),
        ResolvedAction::Call(call) => match call.operation {
            Operation::Vmap { area, .. } | Operation::Vunmap { area } => Some(Mapping::Area(area)),
            Operation::MapRam { ram, .. } | Operation::UnmapRam { ram } => Some(Mapping::Ram(ram)),
            Operation::Read { place } | Operation::Write { place, .. } => Some(place.mapping),
            Operation::DmaAlloc { buffer, .. }
            | Operation::DmaFree { buffer }
            | Operation::DeviceRead { buffer, .. }
            | Operation::DeviceWrite { buffer, .. } => Some(Mapping::Buffer(buffer)),
            Operation::Owned(owned) => {
                owned.area().map(Mapping::Area).or_else(|| owned.place().map(|place| place.mapping))
            }
            _ => None,
        },
        _ => None,
    }
}
