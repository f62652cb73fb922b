//! The handles that callers hold, as told, and what a caller may do with them: where slots are bound to handles and
//! where the caller's contract is kept. It knows nothing of CPUs and pauses; see [`state`](super::state).

use impls::Sizes;
use oracle::vocabulary::{
    AreaSlot, MAX_PAGES, Mapping, Operation, PageList, PageSlot, Place, RamSlot, SLOTS, Token,
};

use super::Verb;
use super::state::Slots;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PageState {
    Free,
    Page,
    Table,
    /// Being allocated, freed, or turned from the one into the other.
    Busy,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MapState {
    Free,
    Live,
    /// Being made or unmade.
    Busy,
}

#[derive(Clone, Copy, Debug)]
struct Map {
    state: MapState,
    /// Reads and writes in progress.
    users: u8,
    pages: PageList,
    /// The length of the last mapping that was handed out in this slot; 0 if there was none.
    last_length: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pages: [PageState; SLOTS as usize],
    /// How many mappings hold the page: live ones and those being made or unmade.
    mapped: [u8; SLOTS as usize],
    areas: [Map; SLOTS as usize],
    rams: [Map; SLOTS as usize],
}

/// The first slot from this one on, wrapping, for which this holds.
fn first_from(slot: usize, holds: impl Fn(usize) -> bool) -> Option<u8> {
    let all = usize::from(SLOTS);
    (slot..slot + all).map(|number| number % all).find(|&number| holds(number)).map(|number| number as u8)
}

impl Held {
    /// At the beginning of a story the callers hold the first pages.
    pub(super) fn new() -> Self {
        let nothing = Map { state: MapState::Free, users: 0, pages: PageList::new([]), last_length: 0 };
        let mut pages = [PageState::Free; SLOTS as usize];
        pages[..usize::from(Sizes::INITIAL_PAGES)].fill(PageState::Page);
        Self {
            pages,
            mapped: [0; SLOTS as usize],
            areas: [nothing; SLOTS as usize],
            rams: [nothing; SLOTS as usize],
        }
    }

    /// Which slots are in which state.
    pub(super) fn slots(&self) -> Slots {
        let mut slots = Slots::default();
        for slot in 0..usize::from(SLOTS) {
            let bit = 1 << slot;
            match self.pages[slot] {
                PageState::Free => slots.free_pages |= bit,
                PageState::Page => slots.pages |= bit,
                PageState::Table => slots.tables |= bit,
                PageState::Busy => {}
            }
            if self.mapped[slot] > 0 {
                slots.mapped_pages |= bit;
            }
            for (map, of) in [(&self.areas[slot], &mut slots.areas), (&self.rams[slot], &mut slots.rams)] {
                match map.state {
                    MapState::Free => of.free |= bit,
                    MapState::Live => of.live |= bit,
                    MapState::Busy => {}
                }
                if map.users > 0 {
                    of.used |= bit;
                }
                if map.last_length > 0 {
                    of.known |= bit;
                }
            }
        }
        slots
    }

    /// The operation with its operands, or nothing where one is missing or the caller must not ask for it.
    pub(super) fn bind(&self, index: u16, verb: Verb) -> Option<Operation> {
        Some(match verb {
            Verb::AllocPage { page } => {
                let slot = first_from(page.index(), |slot| self.pages[slot] == PageState::Free)?;
                Operation::AllocPage { page: PageSlot::new(slot) }
            }
            Verb::FreePage { page } => Operation::FreePage { page: self.unmapped_page(page)? },
            Verb::MakeTable { page } => Operation::MakeTable { page: self.unmapped_page(page)? },
            Verb::UnmakeTable { page } => Operation::UnmakeTable { page: self.page(page, PageState::Table)? },
            Verb::Vmap { first, count, area } => {
                let pages = self.list(first, count)?;
                let slot = first_from(area.index(), |slot| self.areas[slot].state == MapState::Free)?;
                Operation::Vmap { pages, area: AreaSlot::new(slot) }
            }
            Verb::MapRam { first, count, ram } => {
                let pages = self.list(first, count)?;
                let slot = first_from(ram.index(), |slot| self.rams[slot].state == MapState::Free)?;
                Operation::MapRam { pages, ram: RamSlot::new(slot) }
            }
            Verb::Vunmap { area } => match self.live(Mapping::Area(area))? {
                (Mapping::Area(area), Map { users: 0, .. }) => Operation::Vunmap { area },
                _ => return None,
            },
            Verb::UnmapRam { ram } => match self.live(Mapping::Ram(ram))? {
                (Mapping::Ram(ram), Map { users: 0, .. }) => Operation::UnmapRam { ram },
                _ => return None,
            },
            Verb::DrainAliases => Operation::DrainAliases,
            Verb::Read { place } => Operation::Read { place: self.place(place)? },
            Verb::Write { place } => {
                Operation::Write { place: self.place(place)?, token: Token(u32::from(index) + 1) }
            }
        })
    }

    /// The page in this state that a slot stands for. A slot whose page is busy stands for no other.
    fn page(&self, page: PageSlot, state: PageState) -> Option<PageSlot> {
        if self.pages[page.index()] == PageState::Busy {
            return None;
        }
        first_from(page.index(), |slot| self.pages[slot] == state).map(PageSlot::new)
    }

    /// A page that nothing maps any more, as whoever gives it away must see to.
    fn unmapped_page(&self, page: PageSlot) -> Option<PageSlot> {
        self.page(page, PageState::Page).filter(|page| self.mapped[page.index()] == 0)
    }

    /// So many pages from this slot on, or as many as there are.
    fn list(&self, first: PageSlot, count: u8) -> Option<PageList> {
        let first = self.page(first, PageState::Page)?;
        let all = (0..SLOTS).map(|step| PageSlot::new(first.number() + step));
        let count = usize::from(count).clamp(1, MAX_PAGES);
        let pages = all.filter(|page| self.pages[page.index()] == PageState::Page).take(count);
        Some(PageList::new(pages))
    }

    /// The live mapping that a slot stands for. A slot whose mapping is busy stands for no other.
    fn live(&self, mapping: Mapping) -> Option<(Mapping, &Map)> {
        if self.map(mapping).state == MapState::Busy {
            return None;
        }
        self.first_map(mapping, |map| map.state == MapState::Live)
    }

    fn place(&self, place: Place) -> Option<Place> {
        let (mapping, map) = self.live(place.mapping)?;
        Some(Place { mapping, page: place.page % map.pages.len() as u8 })
    }

    /// Where a mapping lies or last lay: the hardware is bound by no contract.
    pub(super) fn last_lay(&self, place: Place) -> Option<Place> {
        let (mapping, map) = self.first_map(place.mapping, |map| map.last_length > 0)?;
        Some(Place { mapping, page: place.page % map.last_length })
    }

    fn first_map(&self, mapping: Mapping, holds: impl Fn(&Map) -> bool) -> Option<(Mapping, &Map)> {
        match mapping {
            Mapping::Area(area) => first_from(area.index(), |slot| holds(&self.areas[slot]))
                .map(|slot| (Mapping::Area(AreaSlot::new(slot)), &self.areas[usize::from(slot)])),
            Mapping::Ram(ram) => first_from(ram.index(), |slot| holds(&self.rams[slot]))
                .map(|slot| (Mapping::Ram(RamSlot::new(slot)), &self.rams[usize::from(slot)])),
        }
    }

    fn map(&self, mapping: Mapping) -> &Map {
        match mapping {
            Mapping::Area(area) => &self.areas[area.index()],
            Mapping::Ram(ram) => &self.rams[ram.index()],
        }
    }

    fn map_mut(&mut self, mapping: Mapping) -> &mut Map {
        match mapping {
            Mapping::Area(area) => &mut self.areas[area.index()],
            Mapping::Ram(ram) => &mut self.rams[ram.index()],
        }
    }

    /// From here on the handles are busy.
    pub(super) fn begin(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocPage { page }
            | Operation::FreePage { page }
            | Operation::MakeTable { page }
            | Operation::UnmakeTable { page } => self.pages[page.index()] = PageState::Busy,
            Operation::Vmap { pages, area } => self.begin_map(Mapping::Area(area), pages),
            Operation::MapRam { pages, ram } => self.begin_map(Mapping::Ram(ram), pages),
            Operation::Vunmap { area } => self.areas[area.index()].state = MapState::Busy,
            Operation::UnmapRam { ram } => self.rams[ram.index()].state = MapState::Busy,
            Operation::Read { place } | Operation::Write { place, .. } => {
                self.map_mut(place.mapping).users += 1;
            }
            Operation::DrainAliases => {}
        }
    }

    /// The told end: new handles are live, old ones gone.
    pub(super) fn end(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocPage { page } | Operation::UnmakeTable { page } => {
                self.pages[page.index()] = PageState::Page;
            }
            Operation::FreePage { page } => self.pages[page.index()] = PageState::Free,
            Operation::MakeTable { page } => self.pages[page.index()] = PageState::Table,
            Operation::Vmap { area, .. } => self.map_mut(Mapping::Area(area)).hand_out(),
            Operation::MapRam { ram, .. } => self.map_mut(Mapping::Ram(ram)).hand_out(),
            Operation::Vunmap { area } => self.end_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.end_unmap(Mapping::Ram(ram)),
            Operation::Read { place } | Operation::Write { place, .. } => {
                self.map_mut(place.mapping).users -= 1;
            }
            Operation::DrainAliases => {}
        }
    }

    fn begin_map(&mut self, mapping: Mapping, pages: PageList) {
        let map = self.map_mut(mapping);
        map.state = MapState::Busy;
        map.pages = pages;
        for page in pages.as_slice() {
            self.mapped[page.index()] += 1;
        }
    }

    fn end_unmap(&mut self, mapping: Mapping) {
        let map = self.map_mut(mapping);
        map.state = MapState::Free;
        let pages = map.pages;
        for page in pages.as_slice() {
            self.mapped[page.index()] -= 1;
        }
    }
}

impl Map {
    fn hand_out(&mut self) {
        self.state = MapState::Live;
        self.last_length = self.pages.len() as u8;
    }
}
