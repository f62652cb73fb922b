//! User memory as callers know it: what each page of each address space may lead to, the pages of objects, and pins. This file
//! knows no tokens; `contents` holds the words.

mod page;
mod state;

use crate::contents::{CPUS, Home};
use crate::vocabulary::{
    MAX_RANGE, MmSlot, ObjectSlot, PinSlot, PinnedPage, SLOTS, USER_PAGES, UserAccess, UserPage, UserRange,
};

use page::{Page, Part};
pub(crate) use state::{Change, Memory, State};

/// How an operation in flight reaches what the pages of its range lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// It does not.
    Nothing,
    Load,
    Store,
    Pin(UserAccess),
    /// It pins what a forced write reaches.
    Force,
}

impl Reach {
    /// The word that it reaches of what a page leads to, if it pins it.
    fn pins(self, state: State) -> Option<Home> {
        match self {
            Self::Pin(access) if access.writes() => state.writes(),
            Self::Pin(_) => state.reads(),
            Self::Force => state.forces(),
            Self::Nothing | Self::Load | Self::Store => None,
        }
    }
}

/// An operation in flight on a range of user addresses.
#[derive(Debug)]
struct Flight {
    at: Option<UserRange>,
    reach: Reach,
    parts: [Part; MAX_RANGE as usize],
    /// Where the pages of the range move to, if they do.
    onto: Option<UserRange>,
    targets: [Part; MAX_RANGE as usize],
}

impl Flight {
    /// What it knows of a page that it is about.
    fn part(&mut self, at: UserPage) -> Option<&mut Part> {
        let covers = |range: &UserRange| range.covers(at);
        let (range, parts) = match (self.at.filter(covers), self.onto.filter(covers)) {
            (Some(range), _) => (range, &mut self.parts),
            (None, Some(range)) => (range, &mut self.targets),
            (None, None) => return None,
        };
        Some(&mut parts[usize::from(at.page - range.page)])
    }
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            at: None,
            reach: Reach::Nothing,
            parts: Default::default(),
            onto: None,
            targets: Default::default(),
        }
    }
}

/// Pages that are pinned together.
#[derive(Debug)]
struct Pins {
    count: u8,
    access: UserAccess,
    /// For each page of the range, pinned here or not, where its word may be, and whether the story's order alone says where.
    pages: [(Vec<Home>, bool); MAX_RANGE as usize],
}

/// All user memory of a backend. [`crate::things`] says which address spaces, objects and pins stand.
#[derive(Debug)]
pub(crate) struct UserMemory {
    pages: Box<[Page]>,
    flights: [Flight; CPUS],
    /// The words of the pages of each object.
    objects: [Vec<Home>; SLOTS as usize],
    pins: [Pins; SLOTS as usize],
    /// The address spaces that were made since the last clearing, a bit for each.
    made: u16,
    /// The CPUs with an operation in flight that moves pages, a bit for each.
    moving: u8,
    /// How many operations in flight take pages out of memory. What the pages hold stays; where they are does not.
    reclaiming: u8,
}

const _: () = assert!(SLOTS as u32 <= u16::BITS, "an address space is a bit");

impl Default for UserMemory {
    fn default() -> Self {
        let pins = || Pins { count: 0, access: UserAccess::Readable, pages: Default::default() };
        Self {
            pages: (0..usize::from(SLOTS) * usize::from(USER_PAGES)).map(|_| Page::default()).collect(),
            flights: Default::default(),
            objects: Default::default(),
            pins: core::array::from_fn(|_| pins()),
            made: 0,
            moving: 0,
            reclaiming: 0,
        }
    }
}

impl UserMemory {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.reclaiming = 0;
        if self.made == 0 {
            return;
        }
        let made = std::mem::take(&mut self.made);
        for mm in (0..SLOTS).filter(|mm| made >> mm & 1 != 0) {
            self.of(MmSlot::new(mm)).iter_mut().for_each(|page| page.become_only(None));
        }
        self.flights.iter_mut().for_each(|flight| (flight.at, flight.onto) = (None, None));
        self.moving = 0;
    }

    /// An operation begins that takes pages out of memory.
    pub(crate) fn begin_reclaim(&mut self) {
        self.reclaiming += 1;
    }

    /// It ends.
    pub(crate) fn end_reclaim(&mut self) {
        self.reclaiming -= 1;
    }

    fn of(&mut self, mm: MmSlot) -> &mut [Page] {
        let first = mm.index() * usize::from(USER_PAGES);
        &mut self.pages[first..first + usize::from(USER_PAGES)]
    }

    fn page(&self, at: UserPage) -> &Page {
        &self.pages[index(at)]
    }

    /// An address space is there, with nothing mapped.
    pub(crate) fn make(&mut self, mm: MmSlot) {
        self.made |= 1 << mm.number();
        self.of(mm).iter_mut().for_each(|page| page.become_only(Some(State::Unmapped)));
    }

    /// An address space is about to go.
    pub(crate) fn retire(&mut self, mm: MmSlot) {
        self.of(mm).iter_mut().for_each(Page::retire);
    }

    /// An address space is gone.
    pub(crate) fn end(&mut self, mm: MmSlot) {
        self.of(mm).iter_mut().for_each(|page| page.become_only(None));
    }

    /// The words of an object's pages, to be filled in by the caller.
    pub(crate) fn object_mut(&mut self, object: ObjectSlot) -> &mut Vec<Home> {
        &mut self.objects[object.index()]
    }

    /// The word of a page of an object; none beyond its end.
    pub(crate) fn object_page(&self, object: ObjectSlot, page: u8) -> Option<Home> {
        self.objects[object.index()].get(usize::from(page)).copied()
    }

    /// An operation on a range begins; [`Self::begin_page`] for each of its pages follows.
    pub(crate) fn begin(&mut self, cpu: usize, at: UserRange, reach: Reach) {
        let flight = &mut self.flights[cpu];
        (flight.at, flight.onto, flight.reach) = (Some(at), None, reach);
    }

    /// What the operation on this CPU may do to the page of its range with this number in the address space.
    pub(crate) fn begin_page(&mut self, cpu: usize, at: UserPage, change: Option<Change>) {
        let part = self.flights[cpu].part(at).expect("a page of the range");
        self.pages[index(at)].begin(cpu, part, change);
    }

    /// An operation begins that moves the pages of a range to as many others.
    pub(crate) fn begin_move(&mut self, cpu: usize, from: UserRange, onto: UserRange) {
        let flight = &mut self.flights[cpu];
        (flight.at, flight.onto, flight.reach) = (Some(from), Some(onto), Reach::Nothing);
        self.moving |= 1 << cpu;
        for (from, onto) in pairs(from, onto) {
            let there = self.page(from).tables.clone();
            self.begin_page(cpu, from, Some(Change::Becomes(State::Unmapped)));
            self.begin_page(cpu, onto, Some(Change::Receives));
            self.pages[index(onto)].receive(cpu, &there);
            // What moves here may differ between backends.
            self.flights.iter_mut().filter_map(|flight| flight.part(onto)).for_each(|part| part.calm = false);
        }
    }

    /// What became possible of pages that move is possible where they move to. Returns whether pages move at all.
    pub(crate) fn spread(&mut self) -> bool {
        let mut grew = self.moving != 0;
        while std::mem::take(&mut grew) {
            for cpu in (0..CPUS).filter(|cpu| self.moving >> cpu & 1 != 0) {
                let flight = &self.flights[cpu];
                let (Some(from), Some(onto)) = (flight.at, flight.onto) else { unreachable!("it moves") };
                for (from, onto) in pairs(from, onto) {
                    let before = self.page(onto).received(cpu).to_vec();
                    let moves = self.page(from).moves(cpu, before);
                    grew |= self.pages[index(onto)].receive(cpu, &moves);
                }
            }
        }
        self.moving != 0
    }

    /// The pages that the operation on a CPU is about.
    pub(crate) fn concerned(&self, cpu: usize) -> impl Iterator<Item = UserPage> + use<> {
        let Flight { at, onto, .. } = self.flights[cpu];
        let pages = |range: UserRange| range.pages().map(move |page| UserPage { mm: range.mm, page });
        at.into_iter().chain(onto).flat_map(pages)
    }

    /// The next state of the page that the operation on a CPU has not met yet, which it meets from now on, and how it reaches it.
    pub(crate) fn meet(&mut self, cpu: usize, at: UserPage, is_other: bool) -> Option<(Reach, State)> {
        let flight = &mut self.flights[cpu];
        let reach = flight.reach;
        let part = flight.part(at)?;
        let state = part.collect(&self.pages[index(at)])?;
        part.calm &= !is_other;
        Some((reach, state))
    }

    /// A change of these pages that other backends may have made was void on this one.
    pub(crate) fn skip(&mut self, range: UserRange) {
        for page in range.pages() {
            let at = UserPage { mm: range.mm, page };
            self.pages[index(at)].settled = false;
            for flight in &mut self.flights {
                if let Some(part) = flight.part(at) {
                    (part.calm, part.void) = (false, true);
                }
            }
        }
    }

    /// Every state that a page of the range of the operation on this CPU had at some moment since it began, as CPUs may use it,
    /// counted from the first page of the range; and whether the story's order alone says which it was.
    pub(crate) fn met(&self, cpu: usize, page: u8) -> (&[State], bool) {
        let part = &self.flights[cpu].parts[usize::from(page)];
        (&part.collected, part.calm)
    }

    /// The operation on this CPU ends. Of each page of the range, counted from its first: whether it took effect there.
    pub(crate) fn end_flight(&mut self, cpu: usize, happened: impl Fn(u8) -> bool) {
        let flight = &mut self.flights[cpu];
        let range = flight.at.take().expect("what ends has begun");
        let onto = flight.onto.take();
        for (n, page) in (0..).zip(range.pages()) {
            let at = UserPage { mm: range.mm, page };
            let part = &mut flight.parts[usize::from(n)];
            let calm = part.calm;
            self.pages[index(at)].end(cpu, part, happened(n));
            if let Some(onto) = onto {
                let (at, part) =
                    (UserPage { mm: onto.mm, page: onto.page + n }, &mut flight.targets[usize::from(n)]);
                part.calm = calm;
                self.pages[index(at)].end(cpu, part, happened(n));
            }
        }
        self.moving &= !(1 << cpu);
    }

    /// Every state that CPUs may use, and whether it is the only one and stays so.
    pub(crate) fn usable(&self, at: UserPage) -> (&[State], bool) {
        let page = self.page(at);
        (&page.usable, page.is_certain() && self.reclaiming == 0)
    }

    /// The operation on this CPU pinned the first pages of its range for this access, and is about to end.
    pub(crate) fn pin(&mut self, cpu: usize, pins: PinSlot, count: u8, access: UserAccess) {
        let flight = &self.flights[cpu];
        let length = flight.at.map_or(0, |range| range.pages().len());
        let pins = &mut self.pins[pins.index()];
        (pins.count, pins.access) = (count, access);
        for (n, (homes, certain)) in pins.pages.iter_mut().enumerate() {
            homes.clear();
            if n < length {
                let part = &flight.parts[n];
                homes.extend(part.collected.iter().filter_map(|state| flight.reach.pins(*state)));
                *certain = part.calm;
            }
        }
    }

    /// How many pages were pinned here.
    pub(crate) const fn pinned(&self, pins: PinSlot) -> u8 {
        self.pins[pins.index()].count
    }

    /// For what they were pinned.
    pub(crate) const fn pinned_for(&self, pins: PinSlot) -> UserAccess {
        self.pins[pins.index()].access
    }

    /// Where the word of a page of pins may be, pinned here or not, and whether the story's order alone says where.
    pub(crate) fn pinned_page(&self, at: PinnedPage) -> (&[Home], bool) {
        let (homes, certain) = &self.pins[at.pins.index()].pages[usize::from(at.page)];
        (homes, *certain)
    }
}

/// The pages of two ranges that have as many.
fn pairs(from: UserRange, onto: UserRange) -> impl Iterator<Item = (UserPage, UserPage)> {
    let of = |range: UserRange| range.pages().map(move |page| UserPage { mm: range.mm, page });
    of(from).zip(of(onto))
}

fn index(at: UserPage) -> usize {
    at.mm.index() * usize::from(USER_PAGES) + usize::from(at.page)
}
