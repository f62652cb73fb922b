//! What a story has told of user memory so far, and pages that are drawn by that: mostly those that were mapped or touched last,
//! and those that an operation acts on which is paused.
//!
//! The numbers of pages stand for a layout: 0 and 1 lie in one lowest-level table and 2 and 3 in the next, 4 to 7 meet at the edge
//! of a level-2 table, 8 to 11 at that of a level-3 table, and 12 to 15 lie together. It must not know any bug.

use oracle::vocabulary::{
    Backing, Destination, MAX_RANGE, MmSlot, Mode, Operation, SLOTS, Sort, USER_PAGES, UserPage, UserRange,
};

use crate::story::dice::Dice;
use crate::story::draw::Draw;
use crate::story::slots::SlotSet;
use crate::story::{MAX_CPUS, ResolvedAction};

const _: () = assert!(USER_PAGES == SLOTS, "a set of slots is one of pages too");

/// What was told so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct UserMemory {
    /// The pages that are mapped, as told, by address space.
    mapped: [SlotSet; SLOTS as usize],
    /// Those that are the address space's own, and may only be read.
    own_to_read: [SlotSet; SLOTS as usize],
    /// What was mapped or touched last.
    last: Option<UserRange>,
    /// What moved last, and where to.
    moved: Option<(UserRange, UserRange)>,
    /// What operations act on that are paused.
    held_up: [Option<UserRange>; MAX_CPUS as usize],
}

impl UserMemory {
    pub(crate) fn take_note(&mut self, told: &ResolvedAction) {
        let operation = match told {
            ResolvedAction::Call(call) => &call.operation,
            ResolvedAction::FillUser { at } => return self.last = Some(one(*at)),
            _ => return,
        };
        match *operation {
            Operation::Mmap { at, what, access } => {
                self.each(at, true);
                let own = !access.writes() && !matches!(what, Backing::Shared(_));
                at.pages().for_each(|page| self.own_to_read[at.mm.index()].set(page, own));
            }
            Operation::Munmap { at } => {
                self.each(at, false);
                at.pages().for_each(|page| self.own_to_read[at.mm.index()].set(page, false));
            }
            Operation::Mremap { at, to } => {
                if let Some((from, onto)) = at.moved(to) {
                    let mapped = &mut self.mapped[from.mm.index()];
                    for (from, onto) in from.pages().zip(onto.pages()) {
                        mapped.set(onto, mapped.contains(from));
                        mapped.set(from, false);
                    }
                    self.moved = Some((from, onto));
                    return self.last = Some(onto);
                }
            }
            Operation::NewMm { mm } => {
                self.mapped[mm.index()] = SlotSet::EMPTY;
                self.own_to_read[mm.index()] = SlotSet::EMPTY;
            }
            _ => {}
        }
        self.last = acts_on(operation).or(self.last);
    }

    fn each(&mut self, at: UserRange, mapped: bool) {
        at.pages().for_each(|page| self.mapped[at.mm.index()].set(page, mapped));
    }

    /// The same at a moment at which these operations are paused.
    pub(crate) fn while_paused<'a>(mut self, paused: impl Iterator<Item = &'a Operation>) -> Self {
        let mut on = paused.filter_map(acts_on);
        self.held_up = core::array::from_fn(|_| on.next());
        self
    }

    /// Where the pages of a range are, if they moved last.
    fn now_at(&self, range: UserRange) -> UserRange {
        let first = UserPage { mm: range.mm, page: range.page };
        match self.moved.filter(|(from, _)| from.covers(first)) {
            Some((from, onto)) => {
                let further = range.page - from.page;
                let count = range.count.min(onto.count - further);
                UserRange { page: onto.page + further, count, ..range }
            }
            None => range,
        }
    }

    /// Whether a page is mapped in one of these address spaces.
    fn is_mapped_in(&self, mms: SlotSet) -> bool {
        mms.all_from(0).any(|mm| !self.mapped[usize::from(mm)].is_empty())
    }
}

const fn one(UserPage { mm, page }: UserPage) -> UserRange {
    UserRange { mm, page, count: 1 }
}

/// The pages that an operation is about.
const fn acts_on(operation: &Operation) -> Option<UserRange> {
    match *operation {
        Operation::Mmap { at, .. }
        | Operation::Munmap { at }
        | Operation::Mprotect { at, .. }
        | Operation::Dontneed { at }
        | Operation::GupFast { at, .. }
        | Operation::Gup { at, .. }
        | Operation::GupForced { at, .. }
        | Operation::Mremap { at, .. }
        | Operation::FreeTables { at } => Some(at),
        Operation::Load { at }
        | Operation::Store { at, .. }
        | Operation::CopyFromUser { at }
        | Operation::CopyToUser { at, .. } => Some(one(at)),
        _ => None,
    }
}

/// The address spaces of which a caller can do something with user memory now.
fn mms(draw: &Draw<'_>) -> SlotSet {
    draw.held.candidates(Sort::Mm, Mode::Uses(None))
}

/// Whether some page is mapped, as told, in an address space that is not busy.
pub(crate) fn is_there(draw: &Draw<'_>) -> bool {
    draw.user.is_mapped_in(mms(draw))
}

/// What was told last or is held up, mostly, if its address space is one of these.
fn near(draw: &mut Draw<'_>, mms: SlotSet) -> Option<UserRange> {
    let there = |range: &UserRange| mms.contains(range.mm.number());
    let held_up = draw.user.held_up;
    let count = held_up.iter().flatten().filter(|range| there(range)).count();
    if count > 0 && draw.dice.percent(draw.why.attracted()) {
        let number = draw.dice.below(count);
        let acted_on = held_up.into_iter().flatten().filter(there).nth(number);
        // Its pages may be elsewhere by now.
        return if draw.dice.percent(75) { acted_on.map(|range| draw.user.now_at(range)) } else { acted_on };
    }
    draw.user.last.filter(there).filter(|_| draw.dice.percent(66))
}

/// An address space.
fn any(draw: &mut Draw<'_>, mode: Mode) -> Option<MmSlot> {
    let last = draw.user.last.map(|range| range.mm.number());
    match last.filter(|mm| draw.held.candidates(Sort::Mm, mode).contains(*mm)) {
        Some(mm) if draw.dice.percent(66) => Some(MmSlot::new(mm)),
        _ => draw.slot(Sort::Mm, mode).map(MmSlot::new),
    }
}

/// Any page: a low one more often than not.
fn low(dice: &mut Dice) -> u8 {
    let four = dice.weighted(&[55, 17, 13, 15]) * 4;
    (four + dice.below(4)) as u8
}

/// A page of an address space with which this may be done: one that was told of just now, or one that is mapped.
pub(crate) fn page(draw: &mut Draw<'_>, mode: Mode) -> Option<UserPage> {
    let mms = draw.held.candidates(Sort::Mm, mode);
    among(draw, mms, mode)
}

/// A page that is the address space's own and may only be read, if one was told of.
pub(crate) fn own_to_read(draw: &mut Draw<'_>) -> Option<UserRange> {
    let own = draw.user.own_to_read;
    let mut there = mms(draw).all_from(0).filter(|mm| !own[usize::from(*mm)].is_empty());
    let mm = there.next()?;
    draw.dice.slot(own[usize::from(mm)]).map(|page| one(UserPage { mm: MmSlot::new(mm), page }))
}

/// A page to which the hardware walks: of an address space that there is or was.
pub(crate) fn walk(draw: &mut Draw<'_>) -> Option<UserPage> {
    let known = draw.held.known(Sort::Mm);
    if mms(draw).is_empty() {
        return draw.dice.slot(known).map(|mm| UserPage { mm: MmSlot::new(mm), page: low(draw.dice) });
    }
    among(draw, known, Mode::Uses(None))
}

fn among(draw: &mut Draw<'_>, mms: SlotSet, mode: Mode) -> Option<UserPage> {
    if let Some(UserRange { mm, page, count }) = near(draw, mms) {
        return Some(UserPage { mm, page: page + draw.dice.below(count.into()) as u8 });
    }
    let mm = any(draw, mode)?;
    let mapped = draw.user.mapped[mm.index()];
    let page = if draw.dice.percent(75) { draw.dice.slot(mapped) } else { None };
    Some(UserPage { mm, page: page.unwrap_or_else(|| low(draw.dice)) })
}

/// Pages of an address space with which this may be done, one or two of them mostly: those that were told of just now, or some
/// that overlap them.
pub(crate) fn range(draw: &mut Draw<'_>, mode: Mode) -> Option<UserRange> {
    let mms = draw.held.candidates(Sort::Mm, mode);
    let (mm, page, count) = match near(draw, mms) {
        Some(UserRange { mm, page, count }) if draw.dice.percent(50) => (mm, page, count),
        Some(UserRange { mm, page, count }) => {
            let within = page + draw.dice.below(count.into()) as u8;
            let page = if draw.dice.percent(15) { page.saturating_sub(1) } else { within };
            (mm, page, pages(draw.dice))
        }
        None => {
            let mm = any(draw, mode)?;
            (mm, low(draw.dice), pages(draw.dice))
        }
    };
    Some(UserRange { mm, page, count: count.min(USER_PAGES - page) })
}

/// Where pages move to: as often as not to the same place of another window, where their whole table may move.
pub(crate) fn destination(draw: &mut Draw<'_>) -> Destination {
    const WINDOW: u8 = 4;
    let near = draw.user.last.filter(|_| draw.dice.percent(70));
    let page = near.map_or_else(|| low(draw.dice), |last| last.page);
    let window = draw.dice.below((USER_PAGES / WINDOW).into()) as u8 * WINDOW;
    Destination(if draw.dice.percent(80) { window + page % WINDOW } else { low(draw.dice) })
}

/// How many pages a range has.
fn pages(dice: &mut Dice) -> u8 {
    const OFTEN: [usize; MAX_RANGE as usize] = [46, 34, 5, 5, 3, 2, 2, 3];
    dice.weighted(&OFTEN) as u8 + 1
}
