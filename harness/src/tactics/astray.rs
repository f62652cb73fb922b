//! Hypercalls of a caller's own. Each builds upon the one before: what was pinned is linked, what was linked is written, and
//! what an entry led to becomes something else.

use impls::family::{
    COUNT_INFO, HEAP_LOCK, HYPERVISOR_ACK, MAP_LOCK, TLB_CLOCK, TLB_TIME, TYPE_INFO, XEN_PMD, XEN_PTE,
};
use machine::PointKind::{Cr3, Load, Locked, Store, Wait};
use machine::{Family, PointKind};
use oracle::vocabulary::{
    Level, Mode, Names, Operation, PageSlot, RawAccess, RawEntry, RawFrame, Role, Sort, TableEntry, Told,
};

use crate::story::Tag;
use crate::story::draw::{Draw, Why};
use crate::story::slots::SlotSet;

use super::kin::Things;
use super::pauses::{BEFORE_ENTRY, BEFORE_REFERENCE};
use super::{Drawn, Next, Subject, Tactic, Where};

const fn hypercall(tag: Tag, weight: usize, next: &'static [Tag]) -> Tactic {
    Tactic {
        subject: Subject::Astray,
        next: Next::Of(next, Where::Any),
        is_short: true,
        draw: Some(draw_of(tag)),
        ..Tactic::weighs(tag, weight)
    }
}

const ENTRY: &[(PointKind, Family)] = &[(Locked, Family::PTE), (Locked, Family::PTE), (Locked, TYPE_INFO)];
const RETYPED: (usize, &[Tag]) =
    (60, &[Tag::HvUpdate, Tag::HvUpdate, Tag::HvUpdate, Tag::HvUpdateVa, Tag::HvPin]);
const TYPE: &[(PointKind, Family)] = &[(Locked, TYPE_INFO), (Wait, HYPERVISOR_ACK)];

/// What often is all that mattered of an operation: that it flushed.
pub(crate) const FLUSH: Operation<Told> = Operation::HvFlush {};

/// Whether an operation is a hypercall of the caller's own: it names pages that the caller gave up, or nothing at all.
pub(crate) fn is_hypercall(tag: Tag) -> bool {
    let is_astray =
        |names: &Names| matches!(names.mode, Some(Mode::GivesUp | Mode::Uses(Some(Role::Astray))));
    tag == Tag::HvFlush || tag.row().is_some_and(|row| row.operands.iter().any(is_astray))
}

pub(super) const TACTICS: &[Tactic] = &[
    Tactic {
        // A guest gone astray does most of what it can do with a page by an entry.
        acts: 3,
        meets: (80, &[Tag::HvPin, Tag::HvPin, Tag::HvPin, Tag::HvWrite, Tag::HvFlush]),
        held_next: &[(Tag::HvUpdate, 35, BEFORE_ENTRY)],
        held_up: ENTRY,
        // An entry that was set is cleared.
        undone_by: Some(Tag::HvUpdate),
        used_by: Some(Tag::HvWrite),
        ..hypercall(
            Tag::HvUpdate,
            10,
            &[
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvPin,
                Tag::HvUpdateVa,
            ],
        )
    },
    Tactic {
        meets: (80, &[Tag::HvUpdate]),
        held_up: ENTRY,
        undone_by: Some(Tag::HvUpdateVa),
        ..hypercall(Tag::HvUpdateVa, 9, &[Tag::HvUpdate, Tag::HvWrite, Tag::HvUnpin])
    },
    Tactic {
        meets: RETYPED,
        held_up: TYPE,
        undone_by: Some(Tag::HvUnpin),
        ..hypercall(
            Tag::HvPin,
            5,
            &[
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvExchange,
                Tag::HvUpdateVa,
            ],
        )
    },
    Tactic { meets: RETYPED, held_up: TYPE, ..hypercall(Tag::HvUnpin, 8, &[Tag::HvUpdate]) },
    Tactic {
        // While a CPU has a root loaded, others unpin it and change what it leads to.
        meets: (80, &[Tag::HvUpdate, Tag::HvUpdate, Tag::HvUnpin, Tag::HvPin]),
        held_up: &[(Locked, TYPE_INFO), (Cr3, Family::NONE)],
        ..hypercall(Tag::HvLoadRoot, 4, &[Tag::HvUpdate, Tag::HvUnpin])
    },
    Tactic {
        meets: (80, &[Tag::HvUpdate, Tag::HvUpdate, Tag::HvExchange, Tag::HvExchange, Tag::HvExchange]),
        held_up: &[
            (Locked, COUNT_INFO),
            (Locked, COUNT_INFO),
            (Wait, HYPERVISOR_ACK),
            (Locked, MAP_LOCK),
            (Locked, XEN_PMD),
            (Load, XEN_PTE),
            (Locked, HEAP_LOCK),
        ],
        // Before the second reference is taken.
        held_after: Some((40, BEFORE_REFERENCE)),
        ..hypercall(Tag::HvExchange, 3, &[Tag::HvUpdate, Tag::Touch])
    },
    hypercall(Tag::HvWrite, 6, &[Tag::HvUpdate]),
    Tactic {
        // To flush is no harm: guests that do not go astray do it too.
        subject: Subject::Pages,
        next: Next::Nothing,
        meets: (60, &[Tag::Vunmap, Tag::UnmapRam, Tag::Vunmap, Tag::UnmapRam, Tag::HvUpdate]),
        held_up: &[(Locked, TLB_CLOCK), (Store, TLB_TIME), (Wait, HYPERVISOR_ACK)],
        is_short: true,
        ..Tactic::weighs(Tag::HvFlush, 5)
    },
];

const fn draw_of(tag: Tag) -> Drawn {
    match tag {
        Tag::HvUpdate => update,
        Tag::HvUpdateVa => |draw| built(draw, Tag::HvUpdateVa),
        Tag::HvPin => pin,
        Tag::HvUnpin => |draw| built(draw, Tag::HvUnpin),
        Tag::HvExchange => |draw| built(draw, Tag::HvExchange),
        Tag::HvLoadRoot => |draw| built(draw, Tag::HvLoadRoot),
        _ => write,
    }
}

/// A page that is pinned, so often, in percent, if there is one.
fn pinned(draw: &mut Draw<'_>, often: usize) -> Option<PageSlot> {
    let there = draw.astray.pinned & given_up(draw);
    if draw.dice.percent(often) { draw.page(there) } else { None }
}

/// A table for what is to meet that needs one; or one that is not pinned yet, for what is pinned already is refused.
fn pin(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    let candidates = draw.held.candidates(Sort::Page, Mode::GivesUp);
    if draw.why == Why::Prepares {
        let others = candidates.without(draw.held_up[Sort::Page as usize]);
        return Some(Operation::HvPin { page: draw.page(others)?, level: Level(1) });
    }
    let built = built(draw, Tag::HvPin)?;
    let Operation::HvPin { page, level } = built else { return Some(built) };
    if !draw.astray.pinned.contains(page.number()) {
        return Some(built);
    }
    let page = draw.page(candidates.without(draw.astray.pinned)).or_else(|| draw.page(candidates))?;
    Some(Operation::HvPin { page, level })
}

/// A hypercall that builds upon the last one, or any.
fn built(draw: &mut Draw<'_>, tag: Tag) -> Option<Operation<Told>> {
    let last = draw.astray.last.filter(|_| draw.dice.percent(75));
    if let Some(built) = last.and_then(|last| upon(draw, tag, last)) {
        return Some(built);
    }
    let any = draw.by_operands(tag)?;
    // More often than not about a table that is one.
    Some(match any {
        Operation::HvUpdate { at, entry } => {
            let table = pinned(draw, 60).unwrap_or(at.table);
            Operation::HvUpdate { at: TableEntry { table, ..at }, entry }
        }
        Operation::HvUpdateVa { at, entry } => {
            let table = pinned(draw, 60).unwrap_or(at.table);
            Operation::HvUpdateVa { at: TableEntry { table, ..at }, entry }
        }
        Operation::HvUnpin { page } => Operation::HvUnpin { page: pinned(draw, 80).unwrap_or(page) },
        Operation::HvLoadRoot { page } => Operation::HvLoadRoot { page: pinned(draw, 50).unwrap_or(page) },
        Operation::HvWrite { at } => {
            let table = pinned(draw, 80).unwrap_or(at.table);
            Operation::HvWrite { at: TableEntry { table, ..at } }
        }
        any => any,
    })
}

/// What was made of an entry is undone; or an entry leads to what is held up, if something is: whatever is done with a page as a
/// table, others can meet it as what an entry leads to.
fn update(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    if let Some(Operation::HvUpdate { at, .. }) = draw.astray.last.filter(|_| draw.why == Why::Undoes) {
        return Some(Operation::HvUpdate { at, entry: RawEntry::Empty });
    }
    let given_up = given_up(draw);
    let held_up = draw.held_up[Sort::Page as usize] & given_up;
    if !held_up.is_empty() && draw.dice.percent(draw.why.attracted()) {
        let tables = draw.astray.pinned & given_up.without(held_up);
        let (to, table) = (draw.page(held_up), draw.page(tables));
        if let (Some(to), Some(table)) = (to, table) {
            let entry = entry(draw, to);
            return Some(Operation::HvUpdate { at: TableEntry { table, index: 0 }, entry });
        }
    }
    built(draw, Tag::HvUpdate)
}

/// Where an entry was just set, if the write is to use that.
fn write(draw: &mut Draw<'_>) -> Option<Operation<Told>> {
    match draw.astray.last {
        Some(Operation::HvUpdate { at, .. }) if draw.why == Why::Undoes => Some(Operation::HvWrite { at }),
        _ => built(draw, Tag::HvWrite),
    }
}

fn given_up(draw: &Draw<'_>) -> SlotSet {
    draw.held.candidates(Sort::Page, Mode::Uses(Some(Role::Astray)))
}

/// What an entry is to hold: mostly something, and mostly this page.
fn entry(draw: &mut Draw<'_>, page: PageSlot) -> RawEntry {
    if draw.dice.percent(30) {
        return RawEntry::Empty;
    }
    let to = if draw.dice.percent(8) { RawFrame::Foreign } else { RawFrame::Page(page) };
    RawEntry::Leads { to, access: RawAccess::ALL[draw.dice.weighted(&[4, 12, 1])] }
}

/// A hypercall about what the last one was about.
fn upon(draw: &mut Draw<'_>, tag: Tag, last: Operation) -> Option<Operation<Told>> {
    let given_up = given_up(draw);
    let leads = |page: PageSlot| RawEntry::Leads { to: RawFrame::Page(page), access: RawAccess::Writable };
    let others = |set: SlotSet, page: PageSlot| set.filter(|slot| slot != page.number());
    Some(match (tag, last) {
        // Another flag, and nothing else of it changes.
        (Tag::HvUpdate, Operation::HvUpdate { at, entry: RawEntry::Leads { to, .. } })
            if draw.dice.percent(30) =>
        {
            Operation::HvUpdate { at, entry: RawEntry::Leads { to, access: RawAccess::Large } }
        }
        (Tag::HvUpdate, Operation::HvUpdate { at, .. }) => Operation::HvUpdate { at, entry: RawEntry::Empty },
        (Tag::HvUpdate, Operation::HvPin { page, .. }) => {
            // Mostly a page that is no table, so that something can be written there.
            let fresh = draw.held.candidates(Sort::Page, Mode::Lends);
            let set = if draw.dice.percent(70) { fresh } else { given_up };
            let to = draw.page(others(set, page)).or_else(|| draw.page(fresh))?;
            Operation::HvUpdate { at: TableEntry { table: page, index: 0 }, entry: leads(to) }
        }
        (Tag::HvUpdate, Operation::HvExchange { page }) => {
            let table = draw.page(others(given_up, page))?;
            Operation::HvUpdate { at: TableEntry { table, index: 0 }, entry: leads(page) }
        }
        (Tag::HvWrite, Operation::HvUpdate { at, .. } | Operation::HvUpdateVa { at, .. }) => {
            Operation::HvWrite { at }
        }
        (Tag::HvWrite, Operation::HvPin { page, .. }) => {
            Operation::HvWrite { at: TableEntry { table: page, index: 0 } }
        }
        (Tag::HvUpdateVa, Operation::HvPin { page, .. }) => {
            let to = draw.page(given_up)?;
            Operation::HvUpdateVa { at: TableEntry { table: page, index: 0 }, entry: entry(draw, to) }
        }
        (Tag::HvUpdateVa, Operation::HvUpdate { at, .. }) => {
            let to = draw.page(given_up)?;
            Operation::HvUpdateVa { at, entry: entry(draw, to) }
        }
        (Tag::HvPin, Operation::HvUpdate { at, .. }) if draw.dice.percent(50) => {
            Operation::HvPin { page: at.table, level: Level(1) }
        }
        (Tag::HvPin, Operation::HvUpdate { entry: RawEntry::Leads { to: RawFrame::Page(page), .. }, .. }) => {
            Operation::HvPin { page, level: Level(draw.dice.weighted(&[10, 5, 2, 1]) as u8 + 1) }
        }
        (
            Tag::HvUnpin,
            Operation::HvUpdate { at: TableEntry { table: page, .. }, .. } | Operation::HvPin { page, .. },
        ) => Operation::HvUnpin { page },
        (
            Tag::HvLoadRoot,
            Operation::HvPin { page, .. }
            | Operation::HvUpdate { entry: RawEntry::Leads { to: RawFrame::Page(page), .. }, .. },
        ) => Operation::HvLoadRoot { page },
        (Tag::HvUpdate, Operation::HvLoadRoot { page }) => {
            let to = draw.page(others(given_up, page))?;
            Operation::HvUpdate { at: TableEntry { table: page, index: 0 }, entry: leads(to) }
        }
        (Tag::HvExchange, Operation::HvExchange { page }) => {
            let set = draw.held.candidates(Sort::Page, Mode::GivesUp);
            Operation::HvExchange { page: draw.page(others(set, page))? }
        }
        _ => return None,
    })
}

/// What a guest gone astray has done so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Astray {
    /// What others can build upon: a table that was pinned, or an entry that was made to lead to a page.
    last: Option<Operation>,
    /// The pages that are pinned, as told.
    pinned: SlotSet,
}

impl Astray {
    pub(crate) fn take_note(&mut self, operation: &Operation) {
        match *operation {
            Operation::HvPin { page, .. } => self.pinned.set(page.number(), true),
            Operation::HvUnpin { page } => self.pinned.set(page.number(), false),
            _ => {}
        }
        if is_to_build_upon(operation) {
            self.last = Some(*operation);
        }
    }

    /// What has to be there for an event to act on what is held up, if it is not: an entry that is to lead to a page stands in a
    /// table.
    pub(crate) fn needed(&self, tag: Tag, held_up: &Things) -> Option<Tag> {
        let tables = self.pinned.without(held_up[Sort::Page as usize]);
        (tag == Tag::HvUpdate && tables.is_empty()).then_some(Tag::HvPin)
    }
}

/// Whether a hypercall made something that others can be about.
const fn is_to_build_upon(call: &Operation) -> bool {
    matches!(
        call,
        Operation::HvPin { .. }
            | Operation::HvExchange { .. }
            | Operation::HvLoadRoot { .. }
            | Operation::HvUpdate { entry: RawEntry::Leads { to: RawFrame::Page(_), .. }, .. }
    )
}
