//! Areas that own their pages, and what they let callers do.

use oracle::vocabulary::{Operation, Told};

use crate::story::Tag;

use super::{Next, Subject, Tactic, Where};

const fn own(tag: Tag, weight: usize, next: &'static [Tag], whom: Where) -> Tactic {
    Tactic { subject: Subject::OwnPages, next: Next::Of(next, whom), ..Tactic::weighs(tag, weight) }
}

const MADE: &[Tag] = &[
    Tag::WriteDirect,
    Tag::Write,
    Tag::SetMemoryRox,
    Tag::SetMemoryRox,
    Tag::SetMemoryRo,
    Tag::SetMemoryWc,
    Tag::SetMemoryWc,
    Tag::Vfree,
];

const BACK: &[Tag] = &[Tag::Write, Tag::WriteDirect, Tag::Vfree, Tag::SetMemoryRox];
const DIRECT: &[Tag] = &[Tag::SetMemoryRo, Tag::SetMemoryRox, Tag::SetMemoryWc, Tag::Vfree];

pub(super) const TACTICS: &[Tactic] = &[
    Tactic { used_by: Some(Tag::Write), ..own(Tag::Vmalloc, 14, MADE, Where::Any) },
    Tactic {
        // One without a large page is plainer.
        size: 64,
        plainer: Some(small),
        used_by: Some(Tag::Write),
        ..own(Tag::VmallocHuge, 15, MADE, Where::Any)
    },
    own(Tag::Vfree, 12, &[Tag::Vmalloc, Tag::Vmalloc, Tag::VmallocHuge, Tag::DrainAliases], Where::Any),
    Tactic {
        used_by: Some(Tag::WriteDirect),
        undone_by: Some(Tag::SetMemoryRw),
        ..own(Tag::SetMemoryRo, 8, BACK, Where::Other)
    },
    Tactic {
        used_by: Some(Tag::Exec),
        undone_by: Some(Tag::SetMemoryRw),
        ..own(Tag::SetMemoryRox, 10, &[Tag::Exec, Tag::Vfree, Tag::SetMemoryRw], Where::Other)
    },
    Tactic { used_by: Some(Tag::WriteDirect), ..own(Tag::SetMemoryRw, 6, BACK, Where::Other) },
    Tactic {
        used_by: Some(Tag::WriteDirect),
        undone_by: Some(Tag::SetMemoryWb),
        ..own(
            Tag::SetMemoryWc,
            10,
            &[Tag::SetMemoryWb, Tag::SetMemoryWb, Tag::Vfree, Tag::Write, Tag::WriteDirect],
            Where::Other,
        )
    },
    own(Tag::SetMemoryWb, 11, &[Tag::SetMemoryWc, Tag::Vfree, Tag::Write], Where::Other),
    Tactic { needs: Some(Tag::Vmalloc), ..own(Tag::Exec, 11, &[Tag::Vfree, Tag::SetMemoryRw], Where::Other) },
    own(Tag::ReadDirect, 14, DIRECT, Where::Other),
    Tactic {
        // A read is plainer.
        size: 200,
        plainer: Some(read_direct),
        ..own(Tag::WriteDirect, 10, DIRECT, Where::Other)
    },
];

fn small(huge: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::VmallocHuge { count, area } = huge else { return None };
    Some(Operation::Vmalloc { count, area })
}

fn read_direct(write: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::WriteDirect { page, .. } = write else { return None };
    Some(Operation::ReadDirect { page })
}
