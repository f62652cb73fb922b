//! Buffers for DMA, their devices, and the domain that gets the frames which were beneath them.

use impls::family::{HEAP_LOCK, MAP_LOCK, XEN_PMD, XEN_PTE};
use machine::PointKind::{Load, Locked};
use oracle::vocabulary::{Operation, Told};

use crate::story::Tag;

use super::{Next, Subject, Tactic, Where};

/// Drivers do it with interrupts off as often as not.
const fn driver(tag: Tag, weight: usize, next: Next) -> Tactic {
    Tactic {
        subject: Subject::Buffers,
        next,
        meets: (40, &[Tag::DmaAlloc, Tag::DmaAllocWide, Tag::DmaFree, Tag::DmaFree]),
        held_up: &[(Locked, MAP_LOCK), (Locked, XEN_PMD), (Load, XEN_PTE), (Locked, HEAP_LOCK)],
        irqs_off: 50,
        ..Tactic::weighs(tag, weight)
    }
}

const USES: Next = Next::Of(
    &[Tag::Write, Tag::DeviceRead, Tag::DeviceWrite, Tag::Read, Tag::Touch, Tag::DmaFree],
    Where::Other,
);

const AGAIN: Next = Next::Of(&[Tag::DmaAlloc, Tag::DmaAllocWide, Tag::Touch, Tag::DrainAliases], Where::Any);

pub(super) const TACTICS: &[Tactic] = &[
    Tactic { used_by: Some(Tag::Write), ..driver(Tag::DmaAlloc, 8, USES) },
    Tactic {
        used_by: Some(Tag::Write),
        plainer: Some(narrow),
        size: 1,
        ..driver(Tag::DmaAllocWide, 4, USES)
    },
    driver(Tag::DmaFree, 6, AGAIN),
    Tactic {
        subject: Subject::Buffers,
        next: Next::Of(&[Tag::Write], Where::Any),
        ..Tactic::weighs(Tag::DeviceRead, 4)
    },
    Tactic {
        subject: Subject::Buffers,
        next: Next::Of(&[Tag::Read], Where::Any),
        // A read is plainer.
        size: 200,
        plainer: Some(device_read),
        ..Tactic::weighs(Tag::DeviceWrite, 4)
    },
    Tactic { subject: Subject::Buffers, ..Tactic::weighs(Tag::Touch, 4) },
];

fn narrow(wide: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::DmaAllocWide { pages, buffer } = wide else { return None };
    Some(Operation::DmaAlloc { pages, buffer })
}

fn device_read(write: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::DeviceWrite { at, .. } = write else { return None };
    Some(Operation::DeviceRead { at })
}
