//! Address spaces beside the kernel's own.

use impls::family::{KERNEL_TABLES, LOADED_MM};
use machine::Family;
use machine::PointKind::{Cr3, Locked, Wait};
use oracle::vocabulary::{Operation, Sort, Told};

use crate::story::Tag;
use crate::story::draw::Draw;

use super::pauses::WHILE_ONE_LEAVES;
use super::{Next, Subject, Tactic, Where};

/// At most this many are held at once: more would leave no memory for anything else.
const MOST: usize = 3;

/// A mapping shows what has become of address spaces.
const SHOWS: &[Tag] = &[Tag::Vmap, Tag::Vmap, Tag::MapRam, Tag::Fill];

const CHANGES: (usize, &[Tag]) = (70, &[Tag::Vmap, Tag::Vmap, Tag::MapRam, Tag::Vunmap, Tag::DrainAliases]);

/// What happens to address spaces while an operation that is about something else is held up.
pub(crate) const MEANWHILE: [Tag; 4] = [Tag::NewMm, Tag::SwitchMm, Tag::DropMm, Tag::DropMm];

pub(super) const TACTICS: &[Tactic] = &[
    Tactic {
        subject: Subject::Mms,
        next: Next::Of(&[Tag::SwitchMm, Tag::Mmap, Tag::Mmap, Tag::Mmap], Where::Any),
        meets: CHANGES,
        then: SHOWS,
        held_up: &[(Locked, KERNEL_TABLES)],
        draw: Some(new_mm),
        with_user: Some(25),
        ..Tactic::weighs(Tag::NewMm, 8)
    },
    Tactic {
        subject: Subject::Mms,
        undone_by: Some(Tag::SwitchMm),
        next: Next::Of(
            &[
                Tag::Vmap,
                Tag::MapRam,
                Tag::Vunmap,
                Tag::Read,
                Tag::Fill,
                Tag::DropMm,
                Tag::SwitchMm,
                Tag::SwitchMm,
                Tag::Load,
                Tag::Load,
                Tag::Store,
                Tag::Store,
                Tag::FillUser,
                Tag::FillUser,
            ],
            Where::Any,
        ),
        meets: (70, &[Tag::DropMm]),
        then: SHOWS,
        held_next: &[(Tag::DropMm, 40, WHILE_ONE_LEAVES)],
        held_up: &[(Cr3, Family::NONE)],
        with_user: Some(20),
        is_short: true,
        ..Tactic::weighs(Tag::SwitchMm, 12)
    },
    Tactic {
        subject: Subject::Mms,
        next: Next::Of(&[Tag::NewMm, Tag::Vmap, Tag::Vmap, Tag::Fill, Tag::DrainAliases], Where::Other),
        meets: CHANGES,
        then: SHOWS,
        held_up: &[(Locked, KERNEL_TABLES), (Wait, LOADED_MM)],
        ..Tactic::weighs(Tag::DropMm, 10)
    },
    Tactic {
        subject: Subject::Mms,
        next: Next::Of(
            &[Tag::DropObject, Tag::NewMm, Tag::Mmap, Tag::Mmap, Tag::Mmap, Tag::Mmap],
            Where::Any,
        ),
        is_short: true,
        draw: Some(new_object),
        with_user: Some(30),
        ..Tactic::weighs(Tag::NewObject, 2)
    },
    Tactic {
        subject: Subject::Mms,
        next: Next::Of(&[Tag::NewMm, Tag::AllocPage], Where::Any),
        is_short: true,
        with_user: Some(8),
        ..Tactic::weighs(Tag::DropObject, 2)
    },
];

fn new_object(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    if draw.held.count(Sort::Object) < MOST { draw.by_operands(Tag::NewObject) } else { None }
}

fn new_mm(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    if draw.held.count(Sort::Mm) < MOST { draw.by_operands(Tag::NewMm) } else { None }
}
