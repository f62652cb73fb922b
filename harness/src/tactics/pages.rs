//! Pages and the page tables that are made of them.

use impls::family::{FLUSH_LOCK, HYPERVISOR_ACK, PAGE_FLAGS, QUICKLIST_LOCK, ZONE_LOCK};
use machine::PointKind::{Locked, Store, Wait};
use oracle::vocabulary::{Operation, Told};

use crate::story::Tag;
use crate::story::draw::Draw;

use super::{Next, Tactic, Where};

/// By what the owner of a page that was unmapped gives it away.
pub(crate) const GIVES_AWAY: Tag = Tag::FreePage;

/// By what its owner puts it to the use in which a stale alias does most harm.
pub(crate) const PUTS_TO_USE: Tag = Tag::MakeTable;

pub(super) const TACTICS: &[Tactic] = &[
    Tactic {
        next: Next::Of(&[Tag::MakeTable, Tag::Vmap, Tag::MapRam], Where::Any),
        held_up: &[(Store, ZONE_LOCK)],
        with_user: Some(10),
        ..Tactic::weighs(Tag::AllocPage, 3)
    },
    Tactic {
        next: Next::Of(&[Tag::AllocPage], Where::Any),
        held_up: &[(Store, ZONE_LOCK)],
        ..Tactic::weighs(Tag::FreePage, 4)
    },
    Tactic {
        next: Next::Of(&[Tag::UnmakeTable], Where::Any),
        meets: (40, &[Tag::Vunmap, Tag::UnmapRam]),
        held_up: TABLE,
        waits: &[FLUSH_LOCK, QUICKLIST_LOCK],
        draw: Some(make_table),
        // A drain is plainer.
        size: 1,
        // Often all that mattered of a new table is that it drained.
        plainer: Some(|_| Some(Operation::DrainAliases {})),
        ..Tactic::weighs(Tag::MakeTable, 4)
    },
    Tactic { waits: &[QUICKLIST_LOCK], ..Tactic::weighs(Tag::UnmakeTable, 2) },
    Tactic {
        next: Next::Of(&[Tag::UnpinTree], Where::Any),
        meets: (40, &[Tag::Vunmap, Tag::UnmapRam]),
        held_up: TABLE,
        plainer: Some(tree_of_one),
        ..Tactic::weighs(Tag::PinTree, 2)
    },
    Tactic::weighs(Tag::UnpinTree, 1),
    Tactic {
        next: Next::Of(&[Tag::Vmap, Tag::MapRam, Tag::MakeTable], Where::Any),
        held_up: &[(Store, PAGE_FLAGS)],
        ..Tactic::weighs(Tag::SetPageFlag, 3)
    },
];

const TABLE: &[(machine::PointKind, machine::Family)] =
    &[(Wait, HYPERVISOR_ACK), (Wait, HYPERVISOR_ACK), (Store, FLUSH_LOCK), (Locked, ZONE_LOCK)];

/// More often than not of the page that was mapped last.
fn make_table(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    let last = draw.mapped_last(Tag::MakeTable).filter(|_| draw.dice.percent(40));
    match last {
        Some(page) => Some(Operation::MakeTable { page }),
        None => draw.by_operands(Tag::MakeTable),
    }
}

/// A tree of one table is told more plainly without its slot.
fn tree_of_one(tree: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::PinTree { pages, .. } = tree else { return None };
    Some(Operation::MakeTable { page: pages.first })
}
