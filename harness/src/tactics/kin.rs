//! What follows from the modes of operations: what an event needs before it, what gives up again what it made, and what can act on a
//! thing at this moment.

use oracle::vocabulary::{Mode, Names, ROWS, Role, Sort};

use crate::story::Tag;
use crate::story::held::Held;
use crate::story::slots::SlotSet;

use super::{EVENTS, of};

/// So many sorts of things there are.
const SORTS: usize = Sort::ALL.len();

/// Things, by their sorts.
pub(crate) type Things = [SlotSet; SORTS];

/// What an event needs before it, if it is to find anything.
pub(crate) fn needs(tag: Tag) -> Option<Tag> {
    of(tag).needs.or_else(|| {
        let wanted = tag.row()?.operands.iter().find_map(|names| {
            let sort = *names.sorts.first()?;
            let role = match names.mode? {
                Mode::Uses(role) => role.unwrap_or(Role::Plain),
                Mode::Changes(role) | Mode::Ends(role) | Mode::Becomes(role, _) => role,
                Mode::New(_) | Mode::Maps | Mode::Lends | Mode::GivesUp | Mode::Sizes => return None,
            };
            // Plain pages are there from the beginning.
            ((sort, role) != (Sort::Page, Role::Plain)).then_some((sort, role))
        });
        let (sort, role) = wanted?;
        find(|names| {
            names.sorts.contains(&sort)
                && match names.mode {
                    Some(Mode::New(made) | Mode::Becomes(_, made)) => made == role,
                    Some(Mode::GivesUp) => role == Role::Astray,
                    _ => false,
                }
        })
    })
}

/// All that an event needs before it, the nearest first.
pub(crate) fn all_needs(tag: Tag) -> impl Iterator<Item = Tag> {
    core::iter::successors(needs(tag), |tag| needs(*tag)).take(SORTS)
}

/// What gives up again what an event makes of something, if anything does.
pub(crate) fn undone_by(tag: Tag) -> Option<Tag> {
    of(tag).undone_by.or_else(|| {
        tag.row()?.operands.iter().find_map(|names| {
            let sort = *names.sorts.first()?;
            find(|other| {
                other.sorts == [sort]
                    && match (names.mode, other.mode) {
                        (Some(Mode::New(made)), Some(Mode::Ends(role))) => made == role,
                        (Some(Mode::Becomes(from, to)), Some(Mode::Becomes(back, again))) => {
                            (from, to) == (again, back) && to != Role::Member
                        }
                        _ => false,
                    }
            })
        })
    })
}

/// What ends a thing of this sort and role.
pub(crate) fn ends(sort: Sort, role: Role) -> Option<Tag> {
    find(|names| names.sorts == [sort] && names.mode == Some(Mode::Ends(role)))
}

/// The first operation with an operand of which this holds.
fn find(holds: impl Fn(&Names) -> bool) -> Option<Tag> {
    ROWS.iter().position(|row| row.operands.iter().any(&holds)).map(|at| Tag::ALL[at])
}

/// Whether an operation makes a mapping, of which a story holds only a limited number at once.
pub(crate) fn makes_mapping(tag: Tag) -> bool {
    const MAPPINGS: [Sort; 3] = [Sort::Area, Sort::Ram, Sort::Buffer];
    let makes = |names: &Names| {
        matches!(names.mode, Some(Mode::New(_))) && names.sorts.iter().any(|sort| MAPPINGS.contains(sort))
    };
    tag.row().is_some_and(|row| row.operands.iter().any(makes))
}

/// The events that can act on one of these things now, in any role that it can take there, each as often as its tactic says. A role that was taken and given up
/// again in the meantime leaves the thing as it was, and the CPUs not: what an operation that is held up has looked at is no longer
/// all there is to know.
pub(crate) fn partners<'a>(held: &'a Held, on: &'a Things) -> impl Iterator<Item = Tag> + use<'a> {
    let acts = |names: &Names| {
        let meets = |mode: Mode, sort: Sort| !(held.candidates(sort, mode) & on[sort as usize]).is_empty();
        names.mode.is_some_and(|mode| {
            !matches!(mode, Mode::New(_)) && names.sorts.iter().any(|sort| meets(mode, *sort))
        })
    };
    let can_act = move |tag: &Tag| match tag.row() {
        Some(row) => row.operands.iter().any(acts),
        None if *tag == Tag::FillUser => !(held.known(Sort::Mm) & on[Sort::Mm as usize]).is_empty(),
        None => {
            *tag == Tag::Fill
                && Sort::ALL.iter().any(|sort| !(held.known(*sort) & on[*sort as usize]).is_empty())
        }
    };
    EVENTS.into_iter().filter(can_act).flat_map(|tag| core::iter::repeat_n(tag, of(tag).acts))
}
