//! Random scripts: what a story tells, with every handle idle when it is used.

use oracle::vocabulary::{
    Access, AreaSlot, BufferSlot, Call, Device, Mapping, MemoryType, MmCall, MmSlot, Operation, Owned,
    PageList, PageSlot, Place, RamSlot, Root, SLOTS, Token, TreeSlot,
};

/// CPUs of a script.
pub(crate) const CPUS: usize = 4;
/// Pages that are there when it begins.
pub(crate) const INITIAL_PAGES: u8 = 3;

/// One line of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An operation begins. Paused, it may last until its CPU is told to continue.
    Begin { cpu: usize, call: Call, paused: bool },
    /// What is paused on this CPU runs to its end.
    Continue { cpu: usize },
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Page {
    #[default]
    Absent,
    Busy,
    Ordinary,
    Table,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Map {
    Absent,
    Busy,
    Live,
}

/// What the script believes, as if every operation succeeded.
struct Belief {
    pages: [Page; SLOTS as usize],
    users: [u8; SLOTS as usize],
    maps: [(Map, PageList, u8); 3 * SLOTS as usize],
    trees: [(Map, PageList); SLOTS as usize],
    /// How many pages of its own an area has.
    own: [u8; SLOTS as usize],
    /// Its permissions are being changed.
    changing: [bool; SLOTS as usize],
    /// The address spaces, and how many CPUs are on the way into each.
    mms: [(Map, u8); SLOTS as usize],
    running: [Option<Operation>; CPUS],
}

/// The place of a mapping among all of them.
pub(crate) fn index(mapping: Mapping) -> usize {
    match mapping {
        Mapping::Area(slot) => slot.index(),
        Mapping::Ram(slot) => usize::from(SLOTS) + slot.index(),
        Mapping::Buffer(slot) => 2 * usize::from(SLOTS) + slot.index(),
    }
}

fn page_slots() -> impl Iterator<Item = PageSlot> {
    (0..SLOTS).map(PageSlot::new)
}

/// The mappings that scripts use: few, so that they are reused.
fn mappings() -> impl Iterator<Item = Mapping> {
    let areas = (0..4).map(|n| Mapping::Area(AreaSlot::new(n)));
    areas.chain((0..4).map(|n| Mapping::Ram(RamSlot::new(n)))).chain(buffers().map(Mapping::Buffer))
}

fn buffers() -> impl Iterator<Item = BufferSlot> {
    (0..3).map(BufferSlot::new)
}

fn pick<T>(candidates: impl Iterator<Item = T>, operand: u8) -> Option<T> {
    let mut all: Vec<T> = candidates.collect();
    if all.is_empty() { None } else { Some(all.swap_remove(usize::from(operand) % all.len())) }
}

impl Belief {
    fn idle_page(&self, operand: u8) -> Option<PageSlot> {
        let idle =
            |page: &PageSlot| self.pages[page.index()] == Page::Ordinary && self.users[page.index()] == 0;
        pick(page_slots().filter(idle), operand)
    }

    fn tree(&self, life: Map, operand: u8) -> Option<TreeSlot> {
        pick((0..2).map(TreeSlot::new).filter(|tree| self.trees[tree.index()].0 == life), operand)
    }

    fn place(&self, operand: u8) -> Option<Place> {
        let live = mappings().filter(|mapping| self.maps[index(*mapping)].0 == Map::Live);
        let places =
            live.flat_map(|mapping| (0..self.length(mapping)).map(move |page| Place { mapping, page }));
        pick(places, operand)
    }

    fn length(&self, mapping: Mapping) -> u8 {
        match mapping {
            Mapping::Area(area) if self.own[area.index()] > 0 => self.own[area.index()],
            _ => self.maps[index(mapping)].1.len() as u8,
        }
    }

    /// A live area that owns its pages; nobody accesses it, where that is asked for.
    fn own_area(&self, operand: u8, idle: bool) -> Option<AreaSlot> {
        let areas = (0..4).map(AreaSlot::new).filter(|area| {
            let (life, _, accesses) = self.maps[index(Mapping::Area(*area))];
            let free = !idle || accesses == 0;
            life == Map::Live && self.own[area.index()] > 0 && free && !self.changing[area.index()]
        });
        pick(areas, operand)
    }

    fn own_place(&self, operand: u8) -> Option<Place> {
        let areas = (0..4).map(AreaSlot::new).filter(|area| {
            self.maps[index(Mapping::Area(*area))].0 == Map::Live && self.own[area.index()] > 0
        });
        let area = pick(areas, operand)?;
        Some(Place { mapping: Mapping::Area(area), page: operand % self.own[area.index()] })
    }

    fn choose_owned(&self, kind: u8, operand: u8, token: u32) -> Option<Owned> {
        Some(match kind % 8 {
            0 | 1 => {
                let absent = (0..4)
                    .map(AreaSlot::new)
                    .filter(|area| self.maps[index(Mapping::Area(*area))].0 == Map::Absent);
                let count = 1 + operand % 2;
                Owned::Vmalloc { count, area: pick(absent, operand)?, huge: operand & 8 != 0 }
            }
            3 if operand & 128 != 0 => {
                let memory_type = MemoryType::ALL[usize::from(operand >> 4) % MemoryType::ALL.len()];
                Owned::SetMemoryType { area: self.own_area(operand, false)?, memory_type }
            }
            2 | 3 => {
                let access = Access::ALL[usize::from(operand >> 4) % Access::ALL.len()];
                Owned::SetMemory { area: self.own_area(operand, false)?, access }
            }
            4 => Owned::Vfree { area: self.own_area(operand, true)? },
            5 => Owned::Exec { place: self.place(operand)? },
            6 => Owned::ReadDirect { place: self.own_place(operand)? },
            _ => Owned::WriteDirect { place: self.own_place(operand)?, token: Token(token) },
        })
    }

    fn choose_mm(&self, kind: u8, operand: u8) -> Option<MmCall> {
        // Few, so that they come and go.
        let of = |life: Map| (0..3).map(MmSlot::new).filter(move |mm| self.mms[mm.index()].0 == life);
        Some(match kind {
            32 => MmCall::New { mm: pick(of(Map::Absent), operand)? },
            33 => MmCall::Drop { mm: pick(of(Map::Live).filter(|mm| self.mms[mm.index()].1 == 0), operand)? },
            _ if operand.is_multiple_of(4) => MmCall::Switch { to: Root::Init },
            _ => MmCall::Switch { to: Root::Mm(pick(of(Map::Live), operand)?) },
        })
    }

    fn choose(&self, kind: u8, operand: u8, token: u32) -> Option<Operation> {
        Some(match kind % 36 {
            0 => {
                // Few pages, so that they are reused and shared.
                let absent = page_slots().take(6).filter(|page| self.pages[page.index()] == Page::Absent);
                Operation::AllocPage { page: pick(absent, operand)? }
            }
            1 => Operation::FreePage { page: self.idle_page(operand)? },
            2 => Operation::MakeTable { page: self.idle_page(operand)? },
            3 => {
                let tables = page_slots().filter(|page| self.pages[page.index()] == Page::Table);
                Operation::UnmakeTable { page: pick(tables, operand)? }
            }
            4..=6 => {
                let ordinary = page_slots().filter(|page| self.pages[page.index()] == Page::Ordinary);
                let pages =
                    PageList::new(ordinary.skip(usize::from(operand >> 6)).take(1 + kind as usize / 128));
                if pages.is_empty() {
                    return None;
                }
                let absent = mappings().filter(|mapping| self.maps[index(*mapping)].0 == Map::Absent);
                match pick(absent, operand)? {
                    Mapping::Area(area) => Operation::Vmap { pages, area },
                    Mapping::Ram(ram) => Operation::MapRam { pages, ram },
                    Mapping::Buffer(_) => return None,
                }
            }
            7 => {
                let idle = |mapping: &Mapping| {
                    let (life, _, accesses) = self.maps[index(*mapping)];
                    let owns = matches!(mapping, Mapping::Area(area) if self.own[area.index()] > 0);
                    life == Map::Live && accesses == 0 && !owns
                };
                match pick(mappings().filter(idle), operand)? {
                    Mapping::Area(area) => Operation::Vunmap { area },
                    Mapping::Ram(ram) => Operation::UnmapRam { ram },
                    Mapping::Buffer(_) => return None,
                }
            }
            16 => {
                let absent =
                    buffers().filter(|buffer| self.maps[index(Mapping::Buffer(*buffer))].0 == Map::Absent);
                let buffer = pick(absent, operand)?;
                let idle = page_slots().filter(|page| {
                    self.pages[page.index()] == Page::Ordinary && self.users[page.index()] == 0
                });
                let pages =
                    PageList::new(idle.skip(usize::from(operand >> 7)).take(1 + usize::from(kind) / 128));
                let device = if (kind / 36).is_multiple_of(2) { Device::Narrow } else { Device::Wide };
                (!pages.is_empty()).then_some(Operation::DmaAlloc { pages, buffer, device })?
            }
            17 => {
                let idle = |buffer: &BufferSlot| {
                    let (life, pages, accesses) = self.maps[index(Mapping::Buffer(*buffer))];
                    let alone = |page: &PageSlot| self.users[page.index()] == 1;
                    life == Map::Live && accesses == 0 && pages.as_slice().iter().all(alone)
                };
                Operation::DmaFree { buffer: pick(buffers().filter(idle), operand)? }
            }
            18 | 19 => {
                let live = |buffer: &BufferSlot| self.maps[index(Mapping::Buffer(*buffer))].0 == Map::Live;
                let buffer = pick(buffers().filter(live), operand)?;
                let page = operand % self.maps[index(Mapping::Buffer(buffer))].1.len() as u8;
                if kind % 36 == 18 {
                    Operation::DeviceRead { buffer, page }
                } else {
                    Operation::DeviceWrite { buffer, page, token: Token(token) }
                }
            }
            8 => Operation::DrainAliases,
            20 => {
                let idle = page_slots().filter(|page| {
                    self.pages[page.index()] == Page::Ordinary && self.users[page.index()] == 0
                });
                let pages = PageList::new(idle.take(1 + usize::from(operand >> 6)));
                let tree = self.tree(Map::Absent, operand)?;
                if pages.is_empty() {
                    return None;
                }
                Operation::PinTree { pages, tree }
            }
            21 => Operation::UnpinTree { tree: self.tree(Map::Live, operand)? },
            22 => {
                let ordinary = page_slots().filter(|page| self.pages[page.index()] == Page::Ordinary);
                Operation::SetPageFlag { page: pick(ordinary, operand)? }
            }
            23 => Operation::TrackAliases,
            9..=11 => Operation::Write { place: self.place(operand)?, token: Token(token) },
            24..=31 => Operation::Owned(self.choose_owned(kind % 36, operand, token)?),
            32..=35 => Operation::Mm(self.choose_mm(kind % 36, operand)?),
            _ => Operation::Read { place: self.place(operand)? },
        })
    }

    fn begin(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocPage { page }
            | Operation::FreePage { page }
            | Operation::MakeTable { page }
            | Operation::UnmakeTable { page } => self.pages[page.index()] = Page::Busy,
            Operation::Vmap { pages, area } => self.begin_map(Mapping::Area(area), pages),
            Operation::MapRam { pages, ram } => self.begin_map(Mapping::Ram(ram), pages),
            Operation::Vunmap { area } => self.maps[index(Mapping::Area(area))].0 = Map::Busy,
            Operation::UnmapRam { ram } => self.maps[index(Mapping::Ram(ram))].0 = Map::Busy,
            // Given up for ever.
            Operation::Raw(call) => call.pages().for_each(|page| self.pages[page.index()] = Page::Busy),
            // Its owner keeps the page while it does so.
            Operation::SetPageFlag { page } => self.users[page.index()] += 1,
            Operation::PinTree { pages, tree } => {
                self.trees[tree.index()] = (Map::Busy, pages);
                pages.as_slice().iter().for_each(|page| self.pages[page.index()] = Page::Busy);
            }
            Operation::UnpinTree { tree } => self.trees[tree.index()].0 = Map::Busy,
            Operation::DrainAliases
            | Operation::TrackAliases
            | Operation::Mm(MmCall::Switch { to: Root::Init }) => {}
            Operation::Mm(MmCall::New { mm } | MmCall::Drop { mm }) => self.mms[mm.index()].0 = Map::Busy,
            Operation::Mm(MmCall::Switch { to: Root::Mm(mm) }) => self.mms[mm.index()].1 += 1,
            Operation::Read { place } | Operation::Write { place, .. } => {
                self.maps[index(place.mapping)].2 += 1;
            }
            Operation::DmaAlloc { pages, buffer, .. } => {
                self.begin_map(Mapping::Buffer(buffer), pages);
                self.lend(&pages, Page::Busy);
            }
            Operation::DmaFree { buffer } => {
                let (life, pages, _) = &mut self.maps[index(Mapping::Buffer(buffer))];
                *life = Map::Busy;
                let pages = *pages;
                self.lend(&pages, Page::Busy);
            }
            Operation::DeviceRead { buffer, .. } | Operation::DeviceWrite { buffer, .. } => {
                self.maps[index(Mapping::Buffer(buffer))].2 += 1;
            }
            Operation::Owned(owned) => match owned {
                Owned::Vmalloc { count, area, .. } => {
                    self.begin_map(Mapping::Area(area), PageList::new([]));
                    self.own[area.index()] = count;
                }
                Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } => {
                    self.changing[area.index()] = true;
                    self.maps[index(Mapping::Area(area))].2 += 1;
                }
                Owned::Vfree { area } => self.maps[index(Mapping::Area(area))].0 = Map::Busy,
                Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
                    self.maps[index(place.mapping)].2 += 1;
                }
            },
        }
    }

    /// Nobody may use these pages while the memory beneath them changes, and afterwards they are ordinary again.
    fn lend(&mut self, pages: &PageList, to: Page) {
        pages.as_slice().iter().for_each(|page| self.pages[page.index()] = to);
    }

    fn begin_map(&mut self, mapping: Mapping, pages: PageList) {
        self.maps[index(mapping)] = (Map::Busy, pages, 0);
        pages.as_slice().iter().for_each(|page| self.users[page.index()] += 1);
    }

    fn end(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocPage { page } | Operation::UnmakeTable { page } => {
                self.pages[page.index()] = Page::Ordinary;
            }
            Operation::FreePage { page } => self.pages[page.index()] = Page::Absent,
            Operation::MakeTable { page } => self.pages[page.index()] = Page::Table,
            Operation::Vmap { area, .. } => self.maps[index(Mapping::Area(area))].0 = Map::Live,
            Operation::MapRam { ram, .. } => self.maps[index(Mapping::Ram(ram))].0 = Map::Live,
            Operation::Vunmap { area } => self.end_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.end_unmap(Mapping::Ram(ram)),
            Operation::SetPageFlag { page } => self.users[page.index()] -= 1,
            Operation::PinTree { tree, .. } => self.trees[tree.index()].0 = Map::Live,
            Operation::UnpinTree { tree } => {
                let (life, pages) = &mut self.trees[tree.index()];
                *life = Map::Absent;
                pages.as_slice().iter().for_each(|page| self.pages[page.index()] = Page::Ordinary);
            }
            Operation::DrainAliases
            | Operation::TrackAliases
            | Operation::Raw(_)
            | Operation::Mm(MmCall::Switch { to: Root::Init }) => {}
            Operation::Mm(MmCall::New { mm }) => self.mms[mm.index()].0 = Map::Live,
            Operation::Mm(MmCall::Drop { mm }) => self.mms[mm.index()].0 = Map::Absent,
            Operation::Mm(MmCall::Switch { to: Root::Mm(mm) }) => self.mms[mm.index()].1 -= 1,
            Operation::Read { place } | Operation::Write { place, .. } => {
                self.maps[index(place.mapping)].2 -= 1;
            }
            Operation::DmaAlloc { pages, buffer, .. } => {
                self.maps[index(Mapping::Buffer(buffer))].0 = Map::Live;
                self.lend(&pages, Page::Ordinary);
            }
            Operation::DmaFree { buffer } => {
                let pages = self.maps[index(Mapping::Buffer(buffer))].1;
                self.end_unmap(Mapping::Buffer(buffer));
                self.lend(&pages, Page::Ordinary);
            }
            Operation::DeviceRead { buffer, .. } | Operation::DeviceWrite { buffer, .. } => {
                self.maps[index(Mapping::Buffer(buffer))].2 -= 1;
            }
            Operation::Owned(owned) => match owned {
                Owned::Vmalloc { area, .. } => self.maps[index(Mapping::Area(area))].0 = Map::Live,
                Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } => {
                    self.changing[area.index()] = false;
                    self.maps[index(Mapping::Area(area))].2 -= 1;
                }
                Owned::Vfree { area } => {
                    self.own[area.index()] = 0;
                    self.end_unmap(Mapping::Area(area));
                }
                Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
                    self.maps[index(place.mapping)].2 -= 1;
                }
            },
        }
    }

    fn end_unmap(&mut self, mapping: Mapping) {
        let (life, pages, _) = &mut self.maps[index(mapping)];
        *life = Map::Absent;
        pages.as_slice().iter().for_each(|page| self.users[page.index()] -= 1);
    }
}

/// A script from random records (CPU, operation, operand, flags); what cannot be told is left out.
pub(crate) fn resolve(records: &[(u8, u8, u8, u8)]) -> Vec<Step> {
    let mut belief = Belief {
        pages: [Page::Absent; SLOTS as usize],
        users: [0; SLOTS as usize],
        maps: [(Map::Absent, PageList::new([]), 0); 3 * SLOTS as usize],
        trees: [(Map::Absent, PageList::EMPTY); SLOTS as usize],
        own: [0; SLOTS as usize],
        changing: [false; SLOTS as usize],
        mms: [(Map::Absent, 0); SLOTS as usize],
        running: [None; CPUS],
    };
    belief.pages[..usize::from(INITIAL_PAGES)].fill(Page::Ordinary);
    let mut script = Vec::new();
    for (token, &(cpu, kind, operand, flags)) in (1..).zip(records) {
        let cpu = usize::from(cpu) % CPUS;
        if let Some(operation) = belief.running[cpu].take() {
            belief.end(&operation);
            script.push(Step::Continue { cpu });
        }
        let Some(operation) = belief.choose(kind, operand, token) else { continue };
        let paused = flags & 1 == 1;
        belief.begin(&operation);
        if paused {
            belief.running[cpu] = Some(operation);
        } else {
            belief.end(&operation);
        }
        let may = matches!(
            operation,
            Operation::DrainAliases
                | Operation::DmaAlloc { .. }
                | Operation::MakeTable { .. }
                | Operation::PinTree { .. }
        );
        let irqs_off = flags & 0b110 == 0b110 && may;
        script.push(Step::Begin { cpu, call: Call { operation, irqs_off }, paused });
    }
    script.extend((0..CPUS).filter(|&cpu| belief.running[cpu].is_some()).map(|cpu| Step::Continue { cpu }));
    script
}
