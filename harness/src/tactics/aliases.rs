//! Mappings of pages, their lazy unmapping, and what drains that.

use impls::family::{
    AREA_LOCK, BLOCK_LOCK, BLOCK_QUEUE_LOCK, CALL_ACK, FREE_AREA_LOCK, HYPERVISOR_ACK, KERNEL_TABLES,
    LAZY_LOCK, PURGE_LOCK, TABLE_LOCK,
};
use machine::Family;
use machine::PointKind::{Locked, Store, Wait};
use oracle::vocabulary::{Operation, Told};

use crate::story::Tag;

use super::pauses::{BEFORE_ENTRY, BEFORE_MEMORY, BEFORE_TICK};
use super::{Next, Tactic, Where};

const USES: Next = Next::Of(
    &[
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
    ],
    Where::Other,
);

const AFTER_UNMAPPING: Next = Next::Of(
    &[
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
    ],
    Where::Any,
);

const MAPS_ANEW: Next = Next::Of(&[Tag::Vmap, Tag::MapRam, Tag::MakeTable], Where::Any);

/// What often is all that mattered of an operation: that it drained.
pub(crate) const DRAIN: Operation<Told> = Operation::DrainAliases {};

/// What makes the mappings that most stories are about.
pub(crate) const MAPS: [Tag; 2] = [Tag::Vmap, Tag::MapRam];

pub(super) const TACTICS: &[Tactic] = &[
    Tactic {
        next: USES,
        held_next: &[(Tag::MakeTable, 60, BEFORE_MEMORY), (Tag::HvFlush, 70, BEFORE_TICK)],
        held_up: &[(Store, FREE_AREA_LOCK), (Store, AREA_LOCK), (Wait, HYPERVISOR_ACK)],
        waits: &[TABLE_LOCK, KERNEL_TABLES],
        used_by: Some(Tag::Write),
        ..Tactic::weighs(Tag::Vmap, 8)
    },
    Tactic {
        next: USES,
        held_next: &[(Tag::MakeTable, 60, BEFORE_MEMORY), (Tag::HvFlush, 70, BEFORE_TICK)],
        held_up: &[(Store, BLOCK_QUEUE_LOCK), (Store, BLOCK_LOCK), (Store, FREE_AREA_LOCK)],
        waits: &[KERNEL_TABLES],
        used_by: Some(Tag::Write),
        ..Tactic::weighs(Tag::MapRam, 9)
    },
    Tactic {
        next: AFTER_UNMAPPING,
        meets: (25, &[Tag::HvFlush]),
        held_up: &[(Store, LAZY_LOCK), (Store, AREA_LOCK), (Locked, Family::PTE)],
        waits: &[TABLE_LOCK],
        ..Tactic::weighs(Tag::Vunmap, 11)
    },
    Tactic {
        next: AFTER_UNMAPPING,
        meets: (25, &[Tag::HvFlush]),
        held_up: &[(Store, LAZY_LOCK), (Store, BLOCK_QUEUE_LOCK), (Store, BLOCK_LOCK), (Locked, Family::PTE)],
        ..Tactic::weighs(Tag::UnmapRam, 12)
    },
    Tactic {
        next: MAPS_ANEW,
        held_up: &[(Wait, CALL_ACK), (Store, LAZY_LOCK), (Store, FREE_AREA_LOCK)],
        waits: &[PURGE_LOCK, BLOCK_LOCK, KERNEL_TABLES],
        needs_aliases: true,
        drains: true,
        ..Tactic::weighs(Tag::DrainAliases, 8)
    },
    Tactic { next: Next::End, held_next: BEFORE_UNMAPPING, ..Tactic::weighs(Tag::Read, 6) },
    Tactic {
        next: Next::End,
        held_next: BEFORE_UNMAPPING,
        // A read is plainer.
        size: 200,
        plainer: Some(read),
        ..Tactic::weighs(Tag::Write, 5)
    },
    Tactic { next: MAPS_ANEW, ..Tactic::weighs(Tag::TrackAliases, 1) },
];

const BEFORE_UNMAPPING: &[(Tag, usize, machine::Pause)] =
    &[(Tag::Vunmap, 8, BEFORE_ENTRY), (Tag::UnmapRam, 8, BEFORE_ENTRY)];

fn read(write: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::Write { place, .. } = write else { return None };
    Some(Operation::Read { place })
}
