//! The things that callers hold, as told: what is busy from when on, and what comes of it. It interprets the modes of the rows,
//! and knows nothing of CPUs and pauses; see [`state`](super::state).
//!
//! Here the caller's contract is kept: an operation that would break it must never be told to a kernel.

use impls::Sizes;
use oracle::vocabulary::{
    AreaSlot, BufferSlot, MAX_PAGES, Mapping, MmSlot, Mode, Named, Operation, PageList, PageRun, PageSlot,
    Place, RamSlot, Role, SLOTS, Sort, Use,
};

use super::codec;
use super::slots::SlotSet;

/// Every role, in the order of its declaration.
const ROLES: usize = Role::Astray as usize + 1;

/// The things of one sort. One that is neither free nor in a role is being made, ended, turned or lent: it is busy.
#[derive(Clone, Copy, Debug)]
struct Things {
    free: SlotSet,
    roles: [SlotSet; ROLES],
    /// Something is done with it, or something is made of it.
    used: SlotSet,
    users: [u8; SLOTS as usize],
    /// Things of which it is a part; they count as users too.
    wholes: [u8; SLOTS as usize],
    changing: SlotSet,
    /// There is or was one.
    known: SlotSet,
    /// What it is made of, and how that was taken.
    pages: [PageList; SLOTS as usize],
    taken: [Mode; SLOTS as usize],
    /// How many pages it has, its own or not; and how many the last one had that was handed out in the slot.
    length: [u8; SLOTS as usize],
    last_length: [u8; SLOTS as usize],
}

/// All things at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held([Things; Sort::ALL.len()]);

impl Held {
    /// At the beginning of a story the callers hold the first pages.
    pub(crate) fn new() -> Self {
        const NONE: SlotSet = SlotSet::EMPTY;
        let none = Things {
            free: SlotSet::ALL,
            roles: [NONE; ROLES],
            used: NONE,
            users: [0; SLOTS as usize],
            wholes: [0; SLOTS as usize],
            changing: NONE,
            known: NONE,
            pages: [PageList::EMPTY; SLOTS as usize],
            taken: [Mode::Maps; SLOTS as usize],
            length: [0; SLOTS as usize],
            last_length: [0; SLOTS as usize],
        };
        let mut held = Self([none; Sort::ALL.len()]);
        let first = SlotSet::first(Sizes::INITIAL_PAGES);
        let pages = held.of_mut(Sort::Page);
        (pages.free, pages.roles[Role::Plain as usize]) = (SlotSet::ALL.without(first), first);
        held
    }

    const fn of(&self, sort: Sort) -> &Things {
        &self.0[sort as usize]
    }

    const fn of_mut(&mut self, sort: Sort) -> &mut Things {
        &mut self.0[sort as usize]
    }

    /// The things of this sort with which this may be done now.
    pub(crate) fn candidates(&self, sort: Sort, mode: Mode) -> SlotSet {
        let things = self.of(sort);
        let set = things.wanted(mode);
        match mode {
            Mode::Changes(_) => set.without(things.changing),
            Mode::Ends(_) => set.filter(|slot| self.may_end(sort, slot)),
            Mode::Becomes(..) => set.without(things.used),
            Mode::New(_) | Mode::Uses(_) | Mode::Maps | Mode::Lends | Mode::GivesUp | Mode::Sizes => set,
        }
    }

    /// How many things of this sort there are, busy or not.
    pub(crate) fn count(&self, sort: Sort) -> usize {
        SlotSet::ALL.without(self.of(sort).free).len()
    }

    /// The slot of the thing that a slot in a story stands for, if this may be done with it: the first thing of its sort and role
    /// from there on. One that is busy stands for no other, nor does one with which this may not be done now.
    pub(crate) fn bind(&self, sort: Sort, slot: u8, mode: Mode) -> Option<u8> {
        let things = self.of(sort);
        let wanted = things.wanted(mode);
        if let Mode::New(_) = mode {
            return wanted.from(slot);
        }
        let slot = wanted.stand_in(slot, things.not_busy())?;
        self.candidates(sort, mode).contains(slot).then_some(slot)
    }

    /// This many pages from a slot on, or as many as there are.
    pub(crate) fn list(&self, run: PageRun, mode: Mode) -> Option<PageList> {
        let set = self.candidates(Sort::Page, mode);
        let first = set.stand_in(run.first.number(), self.of(Sort::Page).not_busy())?;
        let count = usize::from(run.count).clamp(1, MAX_PAGES);
        Some(PageList::new(set.all_from(first).take(count).map(PageSlot::new)))
    }

    /// The page that a place stands for.
    pub(crate) fn page_of(&self, place: Place, mode: Mode) -> Option<Place> {
        let (sort, slot) = thing(place.mapping);
        let (slot, page) = self.bind_page(sort, slot, place.page, mode)?;
        Some(Place { mapping: mapping(sort, slot), page })
    }

    /// The slot of the thing that a slot stands for, if this may be done with it, and the page of it that a number stands for.
    pub(crate) fn bind_page(&self, sort: Sort, slot: u8, page: u8, mode: Mode) -> Option<(u8, u8)> {
        let slot = self.bind(sort, slot, mode)?;
        Some((slot, page % self.of(sort).length[usize::from(slot)]))
    }

    /// Where a mapping lies or last lay: the hardware is bound by no contract.
    pub(crate) fn last_lay(&self, place: Place) -> Option<Place> {
        let (sort, slot) = thing(place.mapping);
        let slot = self.of(sort).known.from(slot)?;
        let length = self.of(sort).last_length[usize::from(slot)];
        Some(Place { mapping: mapping(sort, slot), page: place.page % length })
    }

    /// The address space that there is or was from this slot on: as [`last_lay`](Self::last_lay).
    pub(crate) fn last_mm(&self, mm: MmSlot) -> Option<MmSlot> {
        self.of(Sort::Mm).known.from(mm.number()).map(MmSlot::new)
    }

    /// The things of a sort that are there and not busy.
    pub(crate) fn live(&self, sort: Sort) -> SlotSet {
        self.of(sort).wanted(Mode::Uses(None))
    }

    /// What an operation acts on that is under way: what it names, and the pages behind that.
    pub(crate) fn acted_on(&self, operation: &Operation) -> [SlotSet; Sort::ALL.len()] {
        let mut on = [SlotSet::EMPTY; Sort::ALL.len()];
        operation.each_use(|Use { named, .. }| {
            let (sort, slot) = match named {
                Named::Thing(sort, slot) => (sort, slot),
                Named::Pages(_) | Named::Length(_) | Named::Nothing => return,
            };
            on[sort as usize].set(slot, true);
            let pages = self.of(sort).pages[usize::from(slot)];
            pages.as_slice().iter().for_each(|page| on[Sort::Page as usize].set(page.number(), true));
        });
        on
    }

    /// The mappings of a sort that there are or were.
    pub(crate) const fn known(&self, sort: Sort) -> SlotSet {
        self.of(sort).known
    }

    /// Nothing uses it, and what was lent to it is mapped nowhere else.
    fn may_end(&self, sort: Sort, slot: u8) -> bool {
        let (things, slot) = (self.of(sort), usize::from(slot));
        let alone = |page: &PageSlot| self.of(Sort::Page).wholes[page.index()] == 1;
        !things.used.contains(slot as u8)
            && (things.taken[slot] != Mode::Lends || things.pages[slot].as_slice().iter().all(alone))
    }

    /// From here on the things are busy.
    pub(crate) fn begin(&mut self, operation: &Operation) {
        let (mut made, mut pages, mut taken) = (None, PageList::EMPTY, Mode::Maps);
        operation.each_use(|Use { named, mode }| match named {
            Named::Thing(sort, slot) => {
                self.begin_one(sort, slot, mode);
                if matches!(mode, Mode::New(_)) {
                    made = Some((sort, usize::from(slot)));
                }
            }
            Named::Pages(list) => {
                list.as_slice().iter().for_each(|page| self.begin_one(Sort::Page, page.number(), mode));
                (pages, taken) = (list, mode);
            }
            Named::Length(_) | Named::Nothing => {}
        });
        if let Some((sort, slot)) = made {
            let (things, length) = (self.of_mut(sort), codec::length(operation));
            (things.pages[slot], things.taken[slot], things.length[slot]) = (pages, taken, length);
        }
    }

    fn begin_one(&mut self, sort: Sort, slot: u8, mode: Mode) {
        let things = self.of_mut(sort);
        match mode {
            Mode::New(_) => things.free.set(slot, false),
            Mode::Uses(_) => things.begin_use(slot),
            Mode::Maps => things.begin_part(slot),
            Mode::Changes(_) => {
                things.changing.set(slot, true);
                things.begin_use(slot);
            }
            Mode::Becomes(from, _) => things.set_role(slot, from, false),
            Mode::Lends => {
                things.set_role(slot, Role::Plain, false);
                things.begin_part(slot);
            }
            Mode::GivesUp => {
                things.set_role(slot, Role::Plain, false);
                things.set_role(slot, Role::Astray, true);
            }
            Mode::Ends(role) => {
                things.set_role(slot, role, false);
                let (pages, taken) = things.made_of(slot);
                let role = match taken {
                    Mode::Lends => Role::Plain,
                    Mode::Becomes(_, role) => role,
                    _ => return,
                };
                let things = self.of_mut(Sort::Page);
                pages.as_slice().iter().for_each(|page| things.set_role(page.number(), role, false));
            }
            Mode::Sizes => {}
        }
    }

    /// The told end: new things are there, old ones gone.
    pub(crate) fn end(&mut self, operation: &Operation) {
        operation.each_use(|Use { named, mode }| match named {
            Named::Thing(sort, slot) => self.end_one(sort, slot, mode),
            Named::Pages(pages) => {
                pages.as_slice().iter().for_each(|page| self.end_one(Sort::Page, page.number(), mode));
            }
            Named::Length(_) | Named::Nothing => {}
        });
    }

    fn end_one(&mut self, sort: Sort, slot: u8, mode: Mode) {
        let things = self.of_mut(sort);
        match mode {
            Mode::New(role) => {
                things.set_role(slot, role, true);
                things.known.set(slot, true);
                things.last_length[usize::from(slot)] = things.length[usize::from(slot)];
            }
            Mode::Uses(_) => things.end_use(slot),
            Mode::Changes(_) => {
                things.changing.set(slot, false);
                things.end_use(slot);
            }
            Mode::Becomes(_, to) => things.set_role(slot, to, true),
            Mode::Lends => things.set_role(slot, Role::Plain, true),
            Mode::Ends(_) => {
                things.free.set(slot, true);
                let (pages, taken) = things.made_of(slot);
                let things = self.of_mut(Sort::Page);
                for page in pages.as_slice().iter().map(|page| page.number()) {
                    if taken != Mode::Maps {
                        things.set_role(page, Role::Plain, true);
                    }
                    if !matches!(taken, Mode::Becomes(..)) {
                        things.wholes[usize::from(page)] -= 1;
                        things.end_use(page);
                    }
                }
            }
            // Pages are used as long as what was made of them is there, and given up for ever.
            Mode::Maps | Mode::GivesUp | Mode::Sizes => {}
        }
    }
}

impl Things {
    /// Those in the role that is wanted.
    fn wanted(&self, mode: Mode) -> SlotSet {
        let of = |role: Role| self.roles[role as usize];
        match mode {
            Mode::New(_) => self.free,
            Mode::Uses(None) => self.roles.iter().fold(SlotSet::EMPTY, |all, set| all.or(*set)),
            Mode::Uses(Some(role)) | Mode::Changes(role) | Mode::Ends(role) | Mode::Becomes(role, _) => {
                of(role)
            }
            Mode::Maps => of(Role::Plain),
            Mode::Lends => of(Role::Plain).without(self.used),
            Mode::GivesUp => of(Role::Plain).without(self.used).or(of(Role::Astray)),
            Mode::Sizes => SlotSet::EMPTY,
        }
    }

    fn not_busy(&self) -> SlotSet {
        self.roles.iter().fold(self.free, |all, set| all.or(*set))
    }

    fn set_role(&mut self, slot: u8, role: Role, has: bool) {
        self.roles[role as usize].set(slot, has);
    }

    fn made_of(&self, slot: u8) -> (PageList, Mode) {
        (self.pages[usize::from(slot)], self.taken[usize::from(slot)])
    }

    fn begin_use(&mut self, slot: u8) {
        self.users[usize::from(slot)] += 1;
        self.used.set(slot, true);
    }

    fn begin_part(&mut self, slot: u8) {
        self.wholes[usize::from(slot)] += 1;
        self.begin_use(slot);
    }

    fn end_use(&mut self, slot: u8) {
        let users = &mut self.users[usize::from(slot)];
        *users -= 1;
        self.used.set(slot, *users > 0);
    }
}

/// A mapping as a thing.
pub(crate) const fn thing(mapping: Mapping) -> (Sort, u8) {
    match mapping {
        Mapping::Area(area) => (Sort::Area, area.number()),
        Mapping::Ram(ram) => (Sort::Ram, ram.number()),
        Mapping::Buffer(buffer) => (Sort::Buffer, buffer.number()),
    }
}

/// A thing of one of the sorts of mappings.
pub(crate) fn mapping(sort: Sort, slot: u8) -> Mapping {
    match sort {
        Sort::Area => Mapping::Area(AreaSlot::new(slot)),
        Sort::Ram => Mapping::Ram(RamSlot::new(slot)),
        Sort::Buffer => Mapping::Buffer(BufferSlot::new(slot)),
        Sort::Page | Sort::Tree | Sort::Mm | Sort::Object | Sort::Pins => {
            unreachable!("things of this sort are no mappings")
        }
    }
}
