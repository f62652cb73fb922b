//! User memory: what is mapped in address spaces and touched from user mode, what takes it away again, and pages that are pinned
//! without a lock.

use impls::family::{
    I_MMAP, I_PAGES, MAP_COUNT, MM_CPUMASK, MMAP_LOCK, PAGE_REF, PAGE_TABLE_LOCK, PIN_COUNT, PTE_LOCK,
    STEAL_TIME, USER_ACK,
};
use machine::PointKind::{Fence, Ipi, Load, Locked, Read, Store, Wait, Write};
use machine::{Family, Pause, PointKind};
use oracle::vocabulary::{Destination, Operation, Sort, Told, UserAccess, UserRange};

use crate::story::Tag;
use crate::story::draw::Draw;

use super::pauses::{BEFORE_ENTRY, wait_for};
use super::{Next, Subject, Tactic, Where, user_memory};

/// At most this many are held at once: what is pinned is no memory for anything else.
const MOST_PINS: usize = 6;

const fn user(tag: Tag, weight: usize, next: &'static [Tag]) -> Tactic {
    Tactic { subject: Subject::User, next: Next::Of(next, Where::Any), ..Tactic::weighs(tag, weight) }
}

/// An operation that finds nothing where nothing is mapped.
const fn on_mapped(tag: Tag, weight: usize, next: &'static [Tag]) -> Tactic {
    Tactic { needs: Some(Tag::Mmap), ..user(tag, weight, next) }
}

/// What user code does, and what goes by the tables without a lock: it meets what changes them, and the other way round.
const CHANGED: &[Tag] = &[
    Tag::Munmap,
    Tag::Munmap,
    Tag::Munmap,
    Tag::Dontneed,
    Tag::Dontneed,
    Tag::Mprotect,
    Tag::FreeTables,
    Tag::Mremap,
    Tag::Mmap,
    Tag::Store,
];

/// What a walk without a lock meets: it may have seen the page already.
const TAKEN_AWAY: &[Tag] = &[
    Tag::Munmap,
    Tag::Munmap,
    Tag::Munmap,
    Tag::Munmap,
    Tag::Dontneed,
    Tag::Dontneed,
    Tag::Mprotect,
    Tag::FreeTables,
    Tag::Mremap,
    Tag::Mremap,
    Tag::Mmap,
];

const TOUCHED: &[Tag] = &[
    Tag::Store,
    Tag::Store,
    Tag::Load,
    Tag::Load,
    Tag::GupFast,
    Tag::GupFast,
    Tag::FillUser,
    Tag::Mmap,
    Tag::Munmap,
    Tag::Dontneed,
    Tag::FreeTables,
];

/// What an unmapping meets: what is touched there, and what passes before a table is freed.
const UNMAPPED: &[Tag] = &[
    Tag::Store,
    Tag::Store,
    Tag::Load,
    Tag::Load,
    Tag::GupFast,
    Tag::GupFast,
    Tag::FillUser,
    Tag::Mmap,
    Tag::GracePeriod,
    Tag::GracePeriod,
    Tag::GracePeriod,
    Tag::Deliver,
];

/// What meets pages on the move: what takes them away by the reverse map, and what reaches them by the one address or the other.
const MOVED: &[Tag] = &[
    Tag::Reclaim,
    Tag::Reclaim,
    Tag::Reclaim,
    Tag::Store,
    Tag::Store,
    Tag::Load,
    Tag::GupFast,
    Tag::FillUser,
    Tag::Mmap,
    Tag::Munmap,
];

/// What was freed is put to another use: by user code, by other callers, and by what waits for a grace period.
const REUSES: &[(Tag, usize)] =
    &[(Tag::GracePeriod, 35), (Tag::Mmap, 45), (Tag::Store, 50), (Tag::AllocPage, 25)];

/// What happens to user memory while an operation that is about something else is held up.
pub(crate) const MEANWHILE: [Tag; 6] =
    [Tag::Munmap, Tag::Dontneed, Tag::Store, Tag::Load, Tag::GupFast, Tag::Mmap];

/// Where a CPU stands that clears entries, and then flushes and frees what was behind them.
const CLEARS: &[(PointKind, Family)] = &[
    (Locked, Family::PTE),
    (Locked, Family::PTE),
    (Store, PTE_LOCK),
    (Load, MM_CPUMASK),
    (Fence, Family::NONE),
    (Fence, Family::NONE),
    (Ipi, Family::NONE),
    (Wait, USER_ACK),
    (Wait, USER_ACK),
    (Locked, PAGE_REF),
    (Locked, MAP_COUNT),
    (Locked, MMAP_LOCK),
];

/// Where a CPU stands that takes a fault.
const FAULTS: &[(PointKind, Family)] = &[
    (Load, Family::PTE),
    (Locked, Family::PTE),
    (Locked, Family::PTE),
    (Locked, Family::PMD),
    (Store, PTE_LOCK),
    (Store, PAGE_TABLE_LOCK),
    (Locked, PAGE_REF),
    (Locked, MMAP_LOCK),
];

const LOCKS: &[Family] = &[MMAP_LOCK, PTE_LOCK];

/// Where what takes memory away is held up when it follows a touch.
const TAKEN: &[(Tag, usize, Pause)] = &[
    (Tag::Munmap, 15, BEFORE_ENTRY),
    (Tag::Dontneed, 15, wait_for(USER_ACK)),
    (Tag::Mprotect, 15, wait_for(USER_ACK)),
];

pub(super) const TACTICS: &[Tactic] = &[
    Tactic {
        used_by: Some(Tag::Store),
        undone_by: Some(Tag::Munmap),
        meets: (75, TOUCHED),
        held_up: CLEARS,
        waits: LOCKS,
        draw: Some(mmap),
        ..user(
            Tag::Mmap,
            8,
            &[Tag::Store, Tag::Store, Tag::Store, Tag::Load, Tag::Load, Tag::GupFast, Tag::FillUser],
        )
    },
    Tactic {
        meets: (80, UNMAPPED),
        then: &[Tag::FillUser, Tag::FillUser, Tag::Load, Tag::Store, Tag::GracePeriod],
        afterwards: REUSES,
        held_up: CLEARS,
        waits: LOCKS,
        draw: Some(|draw| mapped(draw, Tag::Munmap)),
        ..on_mapped(
            Tag::Munmap,
            11,
            &[Tag::Mmap, Tag::Mmap, Tag::Load, Tag::Store, Tag::FillUser, Tag::FreeTables, Tag::AllocPage],
        )
    },
    Tactic {
        undone_by: Some(Tag::Mprotect),
        used_by: Some(Tag::Store),
        meets: (80, TOUCHED),
        afterwards: &[(Tag::Store, 40), (Tag::Load, 25)],
        held_up: CLEARS,
        waits: LOCKS,
        draw: Some(mprotect),
        ..on_mapped(
            Tag::Mprotect,
            9,
            &[Tag::Store, Tag::Store, Tag::Load, Tag::GupFast, Tag::Mprotect, Tag::FillUser],
        )
    },
    Tactic {
        meets: (80, TOUCHED),
        afterwards: REUSES,
        held_up: CLEARS,
        waits: LOCKS,
        draw: Some(|draw| mapped(draw, Tag::Dontneed)),
        ..on_mapped(
            Tag::Dontneed,
            9,
            &[Tag::Load, Tag::Load, Tag::Store, Tag::GupFast, Tag::FillUser, Tag::FreeTables, Tag::AllocPage],
        )
    },
    Tactic {
        meets: (80, CHANGED),
        afterwards: REUSES,
        held_next: TAKEN,
        held_up: FAULTS,
        waits: LOCKS,
        draw: Some(|draw| mapped(draw, Tag::Load)),
        ..on_mapped(
            Tag::Load,
            12,
            &[Tag::Load, Tag::Store, Tag::Munmap, Tag::Munmap, Tag::Dontneed, Tag::Mprotect, Tag::SwitchMm],
        )
    },
    Tactic {
        meets: (80, CHANGED),
        afterwards: REUSES,
        held_next: TAKEN,
        held_up: FAULTS,
        waits: LOCKS,
        // A load is plainer.
        size: 200,
        plainer: Some(load),
        draw: Some(|draw| mapped(draw, Tag::Store)),
        ..on_mapped(
            Tag::Store,
            14,
            &[
                Tag::Load,
                Tag::Load,
                Tag::Store,
                Tag::Munmap,
                Tag::Dontneed,
                Tag::Mprotect,
                Tag::Mprotect,
                Tag::GupFast,
            ],
        )
    },
    Tactic {
        meets: (85, TAKEN_AWAY),
        afterwards: &[(Tag::GracePeriod, 45), (Tag::Mmap, 55), (Tag::Store, 65), (Tag::AllocPage, 35)],
        held_up: &[
            (Load, Family::PTE),
            (Load, Family::PTE),
            (Load, Family::PMD),
            (Locked, PAGE_REF),
            (Locked, PAGE_REF),
            (Locked, PIN_COUNT),
        ],
        waits: LOCKS,
        used_by: Some(Tag::PinWrite),
        draw: Some(|draw| pinning(draw, Tag::GupFast)),
        ..on_mapped(
            Tag::GupFast,
            12,
            &[Tag::PinRead, Tag::PinWrite, Tag::PinWrite, Tag::Munmap, Tag::Dontneed, Tag::Store, Tag::Unpin],
        )
    },
    Tactic {
        meets: (70, CHANGED),
        held_up: &[(Read, Family::DATA)],
        is_short: true,
        ..user(Tag::PinRead, 7, &[Tag::PinWrite, Tag::Unpin, Tag::Munmap])
    },
    Tactic {
        meets: (70, CHANGED),
        held_up: &[(Write, Family::DATA)],
        is_short: true,
        // A read is plainer.
        size: 200,
        plainer: Some(pin_read),
        ..user(Tag::PinWrite, 6, &[Tag::PinRead, Tag::Load, Tag::Load, Tag::Unpin, Tag::Munmap])
    },
    Tactic {
        meets: (75, CHANGED),
        afterwards: &[(Tag::AllocPage, 35)],
        held_up: &[(Locked, PAGE_REF), (Locked, PIN_COUNT)],
        is_short: true,
        ..user(Tag::Unpin, 5, &[Tag::AllocPage, Tag::Mmap, Tag::Munmap, Tag::GracePeriod])
    },
    Tactic {
        meets: (85, TOUCHED),
        afterwards: REUSES,
        held_up: &[
            (Locked, Family::PMD),
            (Load, Family::PMD),
            (Load, Family::PTE),
            (Store, PAGE_TABLE_LOCK),
            (Wait, USER_ACK),
            (Ipi, Family::NONE),
        ],
        waits: LOCKS,
        draw: Some(|draw| mapped(draw, Tag::FreeTables)),
        ..on_mapped(
            Tag::FreeTables,
            7,
            &[Tag::Load, Tag::Store, Tag::FillUser, Tag::Mmap, Tag::AllocPage, Tag::GracePeriod],
        )
    },
    Tactic {
        meets: (85, MOVED),
        // What moved is taken away by its new address.
        undone_by: Some(Tag::Dontneed),
        afterwards: &[(Tag::AllocPage, 40), (Tag::Store, 60), (Tag::Load, 30)],
        held_up: CLEARS,
        waits: LOCKS,
        draw: Some(mremap),
        ..on_mapped(
            Tag::Mremap,
            9,
            &[Tag::Load, Tag::Load, Tag::Store, Tag::GupFast, Tag::Dontneed, Tag::Munmap, Tag::Mremap],
        )
    },
    Tactic {
        meets: (80, CHANGED),
        afterwards: REUSES,
        held_up: &[
            (Locked, Family::PTE),
            (Store, PTE_LOCK),
            (Wait, USER_ACK),
            (Ipi, Family::NONE),
            (Locked, PAGE_REF),
            (Locked, I_PAGES),
            (Locked, I_MMAP),
        ],
        waits: &[PTE_LOCK, I_PAGES, I_MMAP],
        ..user(Tag::Reclaim, 7, &[Tag::Load, Tag::Load, Tag::Store, Tag::FillUser, Tag::Mmap])
    },
    Tactic {
        meets: (80, CHANGED),
        afterwards: REUSES,
        held_up: FAULTS,
        waits: LOCKS,
        // A load is plainer.
        size: 100,
        plainer: Some(in_user_mode),
        irqs_off: 25,
        draw: Some(|draw| mapped(draw, Tag::CopyFromUser)),
        ..on_mapped(Tag::CopyFromUser, 4, &[Tag::Store, Tag::Munmap, Tag::Dontneed, Tag::Mprotect])
    },
    Tactic {
        meets: (80, CHANGED),
        afterwards: REUSES,
        held_up: FAULTS,
        waits: LOCKS,
        // A store is plainer.
        size: 300,
        plainer: Some(in_user_mode),
        irqs_off: 25,
        draw: Some(|draw| mapped(draw, Tag::CopyToUser)),
        ..on_mapped(Tag::CopyToUser, 4, &[Tag::Load, Tag::Munmap, Tag::Dontneed, Tag::Mprotect])
    },
    Tactic {
        meets: (85, TAKEN_AWAY),
        // After a fault it looks for the page again.
        held_up: &[
            (Load, Family::PMD),
            (Locked, PTE_LOCK),
            (Locked, PTE_LOCK),
            (Store, PTE_LOCK),
            (Store, PTE_LOCK),
            (Load, Family::PTE),
        ],
        waits: LOCKS,
        used_by: Some(Tag::PinWrite),
        // A pin of what user code may write is plainer.
        size: 200,
        plainer: Some(unforced),
        draw: Some(gup_forced),
        ..on_mapped(Tag::GupForced, 4, &[Tag::PinWrite, Tag::PinWrite, Tag::Load, Tag::Dontneed, Tag::Unpin])
    },
    Tactic {
        meets: (85, TAKEN_AWAY),
        held_up: FAULTS,
        waits: LOCKS,
        used_by: Some(Tag::PinWrite),
        // The fast path is plainer.
        size: 100,
        plainer: Some(fast),
        draw: Some(|draw| pinning(draw, Tag::Gup)),
        ..on_mapped(Tag::Gup, 3, &[Tag::PinRead, Tag::PinWrite, Tag::Munmap, Tag::Dontneed, Tag::Unpin])
    },
    on_mapped(Tag::FillUser, 6, &[Tag::Store, Tag::Load, Tag::Munmap, Tag::FreeTables]),
    user(Tag::HostPreempt, 2, &[Tag::Munmap, Tag::Munmap, Tag::Dontneed, Tag::Mprotect, Tag::HostEnter]),
    Tactic {
        held_up: &[(Store, STEAL_TIME), (Locked, STEAL_TIME)],
        meets: (80, TAKEN_AWAY),
        ..user(Tag::HostEnter, 2, &[Tag::Load, Tag::Store])
    },
    user(Tag::ApplyBroadcast, 3, &[Tag::FillUser, Tag::Continue]),
];

/// Which event to tell first, so that this one finds something to be about: an object, before what may map one.
pub(crate) fn before(draw: &mut Draw<'_>, tag: Tag) -> Option<Tag> {
    let wants_object = tag == Tag::Mmap && draw.held.count(Sort::Object) == 0;
    (wants_object && draw.dice.percent(45)).then_some(Tag::NewObject)
}

/// Mostly where something is mapped: elsewhere there is nothing to find.
fn mapped(draw: &mut Draw<'_>, tag: Tag) -> Option<Operation<Told>> {
    if user_memory::is_there(draw) || draw.dice.percent(5) { draw.by_operands(tag) } else { None }
}

/// Mostly to be written.
fn mmap(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    let drawn = draw.by_operands(Tag::Mmap)?;
    let Operation::Mmap { at, what, .. } = drawn else { return Some(drawn) };
    Some(Operation::Mmap { at, what, access: access(draw, 80) })
}

/// Mostly to be read, and written again afterwards.
fn mprotect(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    let drawn = mapped(draw, Tag::Mprotect)?;
    let Operation::Mprotect { at, .. } = drawn else { return Some(drawn) };
    Some(Operation::Mprotect { at, access: access(draw, 35) })
}

/// Mostly all that one table maps.
fn mremap(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    let drawn = mapped(draw, Tag::Mremap)?;
    let Operation::Mremap { at, to } = drawn else { return Some(drawn) };
    if draw.dice.percent(40) {
        return Some(drawn);
    }
    let at = UserRange { page: at.page & !1, count: 2, ..at };
    Some(Operation::Mremap { at, to: Destination(to.0 & !1) })
}

/// Writable so often, in percent.
fn access(draw: &mut Draw<'_>, often: usize) -> UserAccess {
    if draw.dice.percent(often) { UserAccess::Writable } else { UserAccess::Readable }
}

fn pinning(draw: &mut Draw<'_>, tag: Tag) -> Option<Operation<Told>> {
    if draw.held.count(Sort::Pins) < MOST_PINS { mapped(draw, tag) } else { None }
}

/// Mostly of pages that are the address space's own and may only be read.
fn gup_forced(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    let drawn = pinning(draw, Tag::GupForced)?;
    let Operation::GupForced { pins, .. } = drawn else { return Some(drawn) };
    let own = if draw.dice.percent(85) { user_memory::own_to_read(draw) } else { None };
    Some(own.map_or(drawn, |at| Operation::GupForced { at, pins }))
}

fn unforced(gup: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::GupForced { at, pins } = gup else { return None };
    Some(Operation::Gup { at, access: UserAccess::Writable, pins })
}

fn fast(gup: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::Gup { at, access, pins } = gup else { return None };
    Some(Operation::GupFast { at, access, pins })
}

fn in_user_mode(copy: Operation<Told>) -> Option<Operation<Told>> {
    match copy {
        Operation::CopyFromUser { at } => Some(Operation::Load { at }),
        Operation::CopyToUser { at, token } => Some(Operation::Store { at, token }),
        _ => None,
    }
}

fn load(store: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::Store { at, .. } = store else { return None };
    Some(Operation::Load { at })
}

fn pin_read(write: Operation<Told>) -> Option<Operation<Told>> {
    let Operation::PinWrite { at, .. } = write else { return None };
    Some(Operation::PinRead { at })
}
