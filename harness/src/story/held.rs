//! The handles that callers hold, as told, and what a caller may do with them: where slots are bound to handles and
//! where the caller's contract is kept. It knows nothing of CPUs and pauses; see [`state`](super::state).

use impls::Sizes;
use oracle::vocabulary::astray::{RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    AreaSlot, BufferSlot, MAX_PAGES, Mapping, MmCall, MmSlot, Operation, Owned, PageList, PageSlot, Place,
    RamSlot, Root, SLOTS, Token, TreeSlot,
};

use super::Verb;
use super::slots::{MapSlots, SlotSet, Slots};

/// The handles at one moment. A page that is in none of the sets is being allocated, freed, or turned into a table
/// or back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pages: SlotSet,
    free_pages: SlotSet,
    tables: SlotSet,
    mapped_pages: SlotSet,
    flagged_pages: SlotSet,
    /// Changes of the flags of a page in progress.
    flagging: [u8; SLOTS as usize],
    /// Pages that are tables of a tree, not busy.
    tree_tables: SlotSet,
    trees: SlotSet,
    free_trees: SlotSet,
    tree_pages: [PageList; SLOTS as usize],
    /// Pages that were given up to raw hypercalls.
    raw: SlotSet,
    mms: SlotSet,
    free_mms: SlotSet,
    entered_mms: SlotSet,
    /// CPUs on the way into each address space.
    coming: [u8; SLOTS as usize],
    /// How many mappings hold the page: live ones and those being made or unmade.
    mappings: [u8; SLOTS as usize],
    areas: Maps,
    rams: Maps,
    buffers: Maps,
}

/// The mappings of one kind.
#[derive(Clone, Copy, Debug)]
struct Maps {
    slots: MapSlots,
    /// Reads and writes in progress.
    users: [u8; SLOTS as usize],
    pages: [PageList; SLOTS as usize],
    /// Its length, pages of its own or not.
    length: [u8; SLOTS as usize],
    /// The length of the last mapping that was handed out in the slot.
    last_length: [u8; SLOTS as usize],
}

impl Held {
    /// At the beginning of a story the callers hold the first pages.
    pub(super) fn new() -> Self {
        let pages = SlotSet::first(Sizes::INITIAL_PAGES);
        let none = SlotSet::default();
        let maps = Maps {
            slots: MapSlots {
                live: none,
                free: SlotSet::ALL,
                used: none,
                known: none,
                owned: none,
                changing: none,
            },
            users: [0; SLOTS as usize],
            pages: [PageList::new([]); SLOTS as usize],
            length: [0; SLOTS as usize],
            last_length: [0; SLOTS as usize],
        };
        Self {
            pages,
            free_pages: SlotSet::ALL.without(pages),
            tables: none,
            mapped_pages: none,
            flagged_pages: none,
            flagging: [0; SLOTS as usize],
            tree_tables: none,
            trees: none,
            free_trees: SlotSet::ALL,
            tree_pages: [PageList::EMPTY; SLOTS as usize],
            raw: none,
            mms: none,
            free_mms: SlotSet::ALL,
            entered_mms: none,
            coming: [0; SLOTS as usize],
            mappings: [0; SLOTS as usize],
            areas: maps,
            rams: maps,
            buffers: maps,
        }
    }

    /// Which slots are in which state.
    pub(super) fn slots(&self) -> Slots {
        Slots {
            pages: self.pages,
            free_pages: self.free_pages,
            tables: self.tables,
            mapped_pages: self.mapped_pages,
            flagged_pages: self.flagged_pages,
            trees: self.trees,
            free_trees: self.free_trees,
            raw: self.raw,
            mms: self.mms,
            free_mms: self.free_mms,
            entered_mms: self.entered_mms,
            areas: self.areas.slots,
            rams: self.rams.slots,
            buffers: self.buffers.slots,
        }
    }

    /// The operation with its operands, or nothing where one is missing or the caller must not ask for it.
    pub(super) fn bind(&self, index: u16, verb: Verb) -> Option<Operation> {
        Some(match verb {
            Verb::AllocPage { page } => {
                Operation::AllocPage { page: PageSlot::new(self.free_pages.from(page.number())?) }
            }
            Verb::FreePage { page } => Operation::FreePage { page: self.idle_page(page)? },
            Verb::MakeTable { page } => Operation::MakeTable { page: self.idle_page(page)? },
            Verb::UnmakeTable { page } => Operation::UnmakeTable { page: self.page(page, self.tables)? },
            Verb::Vmap { first, count, area } => {
                let slot = self.areas.slots.free.from(area.number())?;
                Operation::Vmap { pages: self.list(first, count)?, area: AreaSlot::new(slot) }
            }
            Verb::MapRam { first, count, ram } => {
                let slot = self.rams.slots.free.from(ram.number())?;
                Operation::MapRam { pages: self.list(first, count)?, ram: RamSlot::new(slot) }
            }
            Verb::Vunmap { area } => {
                let plain = self.areas.slots.live.without(self.areas.slots.owned);
                Operation::Vunmap { area: AreaSlot::new(self.areas.unused_of(area.number(), plain)?) }
            }
            Verb::UnmapRam { ram } => {
                let live = self.rams.slots.live;
                Operation::UnmapRam { ram: RamSlot::new(self.rams.unused_of(ram.number(), live)?) }
            }
            Verb::DrainAliases => Operation::DrainAliases,
            Verb::SetPageFlag { page } => Operation::SetPageFlag { page: self.page(page, self.pages)? },
            Verb::PinTree { first, count, tree } => {
                let slot = self.free_trees.from(tree.number())?;
                Operation::PinTree { pages: self.idle_list(first, count)?, tree: TreeSlot::new(slot) }
            }
            Verb::UnpinTree { tree } => Operation::UnpinTree { tree: self.tree(tree)? },
            Verb::TrackAliases => Operation::TrackAliases,
            Verb::Raw(call) => Operation::Raw(self.bind_raw(call)?),
            Verb::Read { place } => Operation::Read { place: self.place(place)? },
            Verb::Write { place } => Operation::Write { place: self.place(place)?, token: token(index) },
            Verb::DmaAlloc { first, count, buffer } => {
                let slot = self.buffers.slots.free.from(buffer.number())?;
                Operation::DmaAlloc { pages: self.idle_list(first, count)?, buffer: BufferSlot::new(slot) }
            }
            Verb::DmaFree { buffer } => {
                let slot = self.buffers.unused_of(buffer.number(), self.buffers.slots.live)?;
                let pages = self.buffers.pages[usize::from(slot)];
                let alone = |page: &PageSlot| self.mappings[page.index()] == 1;
                pages.as_slice().iter().all(alone).then_some(())?;
                Operation::DmaFree { buffer: BufferSlot::new(slot) }
            }
            Verb::DeviceRead { buffer, page } => {
                let (buffer, page) = self.page_of_buffer(buffer, page)?;
                Operation::DeviceRead { buffer, page }
            }
            Verb::DeviceWrite { buffer, page } => {
                let (buffer, page) = self.page_of_buffer(buffer, page)?;
                Operation::DeviceWrite { buffer, page, token: token(index) }
            }
            Verb::Owned(owned) => Operation::Owned(self.bind_owned(index, owned)?),
            Verb::Mm(call) => Operation::Mm(self.bind_mm(call)?),
        })
    }

    fn bind_mm(&self, call: MmCall) -> Option<MmCall> {
        Some(match call {
            MmCall::New { mm } => MmCall::New { mm: MmSlot::new(self.free_mms.from(mm.number())?) },
            MmCall::Switch { to: Root::Init } => call,
            MmCall::Switch { to: Root::Mm(mm) } => MmCall::Switch { to: Root::Mm(self.mm(mm)?) },
            // Whoever drops it has seen to it that nobody enters it any more.
            MmCall::Drop { mm } => {
                MmCall::Drop { mm: self.mm(mm).filter(|mm| !self.entered_mms.contains(mm.number()))? }
            }
        })
    }

    /// The address space that a slot stands for. A slot whose address space is busy stands for no other.
    fn mm(&self, mm: MmSlot) -> Option<MmSlot> {
        let slot = mm.number();
        let busy = !self.mms.contains(slot) && !self.free_mms.contains(slot);
        if busy { None } else { self.mms.from(slot).map(MmSlot::new) }
    }

    fn bind_owned(&self, index: u16, owned: Owned) -> Option<Owned> {
        let areas = &self.areas;
        let own = areas.slots.live & areas.slots.owned;
        Some(match owned {
            Owned::Vmalloc { count, area, huge } => {
                let slot = areas.slots.free.from(area.number())?;
                Owned::Vmalloc { count: count.clamp(1, MAX_PAGES as u8), area: AreaSlot::new(slot), huge }
            }
            Owned::SetMemory { area, access } => {
                let slot = areas.live_of(area.number(), own)?;
                let idle = !areas.slots.changing.contains(slot);
                Owned::SetMemory { area: idle.then_some(AreaSlot::new(slot))?, access }
            }
            Owned::SetMemoryType { area, memory_type } => {
                let slot = areas.live_of(area.number(), own)?;
                let idle = !areas.slots.changing.contains(slot);
                Owned::SetMemoryType { area: idle.then_some(AreaSlot::new(slot))?, memory_type }
            }
            Owned::Vfree { area } => {
                Owned::Vfree { area: AreaSlot::new(areas.unused_of(area.number(), own)?) }
            }
            Owned::Exec { place } => Owned::Exec { place: self.place(place)? },
            Owned::ReadDirect { place } => Owned::ReadDirect { place: self.direct(place, own)? },
            Owned::WriteDirect { place, .. } => {
                Owned::WriteDirect { place: self.direct(place, own)?, token: Token(u32::from(index) + 1) }
            }
        })
    }

    /// A page that an area owns.
    fn direct(&self, place: Place, own: SlotSet) -> Option<Place> {
        let Mapping::Area(area) = place.mapping else { return None };
        let slot = self.areas.live_of(area.number(), own)?;
        let mapping = Mapping::Area(AreaSlot::new(slot));
        Some(Place { mapping, page: place.page % self.areas.length[usize::from(slot)] })
    }

    /// The page of this set that a slot stands for. A slot whose page is busy stands for no other.
    fn page(&self, page: PageSlot, set: SlotSet) -> Option<PageSlot> {
        let slot = page.number();
        let known = [self.pages, self.free_pages, self.tables, self.tree_tables, self.raw];
        let busy = !known.iter().any(|set| set.contains(slot));
        if busy { None } else { set.from(slot).map(PageSlot::new) }
    }

    /// A page that nothing maps any more and that its owner leaves alone, as whoever gives it away must see to.
    fn idle_page(&self, page: PageSlot) -> Option<PageSlot> {
        let idle = self.idle_pages();
        self.page(page, self.pages).filter(|page| idle.contains(page.number()))
    }

    fn idle_pages(&self) -> SlotSet {
        self.pages.without(self.mapped_pages).without(self.flagged_pages)
    }

    /// So many such pages from this slot on, or as many as there are.
    fn idle_list(&self, first: PageSlot, count: u8) -> Option<PageList> {
        let idle = self.idle_pages();
        let first = self.page(first, idle)?;
        let count = usize::from(count).clamp(1, MAX_PAGES);
        Some(PageList::new(idle.all_from(first.number()).take(count).map(PageSlot::new)))
    }

    /// The tree that a slot stands for. A slot whose tree is busy stands for no other.
    fn tree(&self, tree: TreeSlot) -> Option<TreeSlot> {
        let slot = tree.number();
        let busy = !self.trees.contains(slot) && !self.free_trees.contains(slot);
        if busy { None } else { self.trees.from(slot).map(TreeSlot::new) }
    }

    /// A raw hypercall: what it names was given up already, or is now.
    fn bind_raw(&self, call: RawCall) -> Option<RawCall> {
        let candidates = self.pages.without(self.mapped_pages).without(self.flagged_pages).or(self.raw);
        Some(match call {
            RawCall::Update { table, index, entry } => RawCall::Update {
                table: self.page(table, candidates)?,
                index,
                entry: self.bind_entry(entry, candidates)?,
            },
            RawCall::Pin { page, level } => RawCall::Pin { page: self.page(page, candidates)?, level },
            RawCall::Unpin { page } => RawCall::Unpin { page: self.page(page, self.raw)? },
            RawCall::UpdateVa { table, index, entry } => RawCall::UpdateVa {
                table: self.page(table, self.raw)?,
                index,
                entry: self.bind_entry(entry, candidates)?,
            },
            RawCall::Exchange { page } => RawCall::Exchange { page: self.page(page, candidates)? },
            RawCall::Write { table, index } => RawCall::Write { table: self.page(table, self.raw)?, index },
            RawCall::Flush => RawCall::Flush,
        })
    }

    fn bind_entry(&self, entry: RawEntry, candidates: SlotSet) -> Option<RawEntry> {
        Some(match entry {
            RawEntry::Leads { to: RawFrame::Page(page), access } => {
                RawEntry::Leads { to: RawFrame::Page(self.page(page, candidates)?), access }
            }
            RawEntry::Leads { to: RawFrame::Foreign, .. } | RawEntry::Empty => entry,
        })
    }

    /// So many pages from this slot on, or as many as there are.
    fn list(&self, first: PageSlot, count: u8) -> Option<PageList> {
        let first = self.page(first, self.pages)?;
        let count = usize::from(count).clamp(1, MAX_PAGES);
        Some(PageList::new(self.pages.all_from(first.number()).take(count).map(PageSlot::new)))
    }

    fn page_of_buffer(&self, buffer: BufferSlot, page: u8) -> Option<(BufferSlot, u8)> {
        let Place { mapping: Mapping::Buffer(buffer), page } =
            self.place(Place { mapping: Mapping::Buffer(buffer), page })?
        else {
            unreachable!("a slot stands for one of its kind")
        };
        Some((buffer, page))
    }

    fn place(&self, place: Place) -> Option<Place> {
        let (maps, slot) = self.maps(place.mapping);
        let slot = maps.live(slot)?;
        let length = maps.length[usize::from(slot)];
        Some(Place { mapping: like(place.mapping, slot), page: place.page % length })
    }

    /// Where a mapping lies or last lay: the hardware is bound by no contract.
    pub(super) fn last_lay(&self, place: Place) -> Option<Place> {
        let (maps, slot) = self.maps(place.mapping);
        let slot = maps.slots.known.from(slot)?;
        let length = maps.last_length[usize::from(slot)];
        Some(Place { mapping: like(place.mapping, slot), page: place.page % length })
    }

    fn maps(&self, mapping: Mapping) -> (&Maps, u8) {
        match mapping {
            Mapping::Area(area) => (&self.areas, area.number()),
            Mapping::Ram(ram) => (&self.rams, ram.number()),
            Mapping::Buffer(buffer) => (&self.buffers, buffer.number()),
        }
    }

    fn maps_mut(&mut self, mapping: Mapping) -> (&mut Maps, u8) {
        match mapping {
            Mapping::Area(area) => (&mut self.areas, area.number()),
            Mapping::Ram(ram) => (&mut self.rams, ram.number()),
            Mapping::Buffer(buffer) => (&mut self.buffers, buffer.number()),
        }
    }

    /// From here on the handles are busy.
    pub(super) fn begin(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocPage { page } => self.free_pages.set(page.number(), false),
            Operation::FreePage { page } | Operation::MakeTable { page } => {
                self.pages.set(page.number(), false);
            }
            Operation::UnmakeTable { page } => self.tables.set(page.number(), false),
            Operation::Vmap { pages, area } => self.begin_map(Mapping::Area(area), pages),
            Operation::MapRam { pages, ram } => self.begin_map(Mapping::Ram(ram), pages),
            Operation::DmaAlloc { pages, buffer } => {
                self.begin_map(Mapping::Buffer(buffer), pages);
                self.lend(&pages, true);
            }
            Operation::DmaFree { buffer } => {
                self.buffers.slots.live.set(buffer.number(), false);
                let pages = self.buffers.pages[buffer.index()];
                self.lend(&pages, true);
            }
            Operation::DeviceRead { buffer, .. } | Operation::DeviceWrite { buffer, .. } => {
                self.begin_access(Mapping::Buffer(buffer));
            }
            Operation::Vunmap { area } => self.areas.slots.live.set(area.number(), false),
            Operation::UnmapRam { ram } => self.rams.slots.live.set(ram.number(), false),
            Operation::Read { place } | Operation::Write { place, .. } => self.begin_access(place.mapping),
            Operation::Raw(call) => {
                for page in call.pages() {
                    self.pages.set(page.number(), false);
                    self.raw.set(page.number(), true);
                }
            }
            Operation::SetPageFlag { page } => {
                self.flagging[page.index()] += 1;
                self.flagged_pages.set(page.number(), true);
            }
            Operation::PinTree { pages, tree } => {
                self.free_trees.set(tree.number(), false);
                self.tree_pages[tree.index()] = pages;
                for page in pages.as_slice() {
                    self.pages.set(page.number(), false);
                }
            }
            Operation::UnpinTree { tree } => {
                self.trees.set(tree.number(), false);
                for page in self.tree_pages[tree.index()].as_slice() {
                    self.tree_tables.set(page.number(), false);
                }
            }
            Operation::DrainAliases | Operation::TrackAliases => {}
            Operation::Owned(owned) => self.begin_owned(owned),
            Operation::Mm(MmCall::New { mm }) => self.free_mms.set(mm.number(), false),
            Operation::Mm(MmCall::Drop { mm }) => self.mms.set(mm.number(), false),
            Operation::Mm(MmCall::Switch { to }) => self.enter(to, true),
        }
    }

    /// A CPU is on the way into an address space, or has got there.
    fn enter(&mut self, to: Root, begins: bool) {
        if let Root::Mm(mm) = to {
            let coming = &mut self.coming[mm.index()];
            *coming = if begins { *coming + 1 } else { *coming - 1 };
            let entered = *coming > 0;
            self.entered_mms.set(mm.number(), entered);
        }
    }

    fn begin_owned(&mut self, owned: Owned) {
        match owned {
            Owned::Vmalloc { count, area, .. } => {
                self.begin_map(Mapping::Area(area), PageList::new([]));
                self.areas.length[area.index()] = count;
                self.areas.slots.owned.set(area.number(), true);
            }
            Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } => {
                self.areas.slots.changing.set(area.number(), true);
                self.areas.begin_use(area.number());
            }
            Owned::Vfree { area } => self.areas.slots.live.set(area.number(), false),
            Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
                self.begin_access(place.mapping);
            }
        }
    }

    /// The told end: new handles are live, old ones gone.
    pub(super) fn end(&mut self, operation: &Operation) {
        match *operation {
            Operation::AllocPage { page } | Operation::UnmakeTable { page } => {
                self.pages.set(page.number(), true);
            }
            Operation::FreePage { page } => self.free_pages.set(page.number(), true),
            Operation::MakeTable { page } => self.tables.set(page.number(), true),
            Operation::Vmap { area, .. } => self.areas.hand_out(area.number()),
            Operation::MapRam { ram, .. } => self.rams.hand_out(ram.number()),
            Operation::Vunmap { area } => self.end_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.end_unmap(Mapping::Ram(ram)),
            Operation::Read { place } | Operation::Write { place, .. } => self.end_access(place.mapping),
            Operation::DmaAlloc { pages, buffer } => {
                self.buffers.hand_out(buffer.number());
                self.lend(&pages, false);
            }
            Operation::DmaFree { buffer } => {
                self.end_unmap(Mapping::Buffer(buffer));
                let pages = self.buffers.pages[buffer.index()];
                self.lend(&pages, false);
            }
            Operation::DeviceRead { buffer, .. } | Operation::DeviceWrite { buffer, .. } => {
                self.end_access(Mapping::Buffer(buffer));
            }
            Operation::SetPageFlag { page } => {
                self.flagging[page.index()] -= 1;
                self.flagged_pages.set(page.number(), self.flagging[page.index()] > 0);
            }
            Operation::PinTree { pages, tree } => {
                self.trees.set(tree.number(), true);
                for page in pages.as_slice() {
                    self.tree_tables.set(page.number(), true);
                }
            }
            Operation::UnpinTree { tree } => {
                self.free_trees.set(tree.number(), true);
                for page in self.tree_pages[tree.index()].as_slice() {
                    self.pages.set(page.number(), true);
                }
            }
            Operation::DrainAliases | Operation::TrackAliases | Operation::Raw(_) => {}
            Operation::Owned(owned) => self.end_owned(owned),
            Operation::Mm(MmCall::New { mm }) => self.mms.set(mm.number(), true),
            Operation::Mm(MmCall::Drop { mm }) => self.free_mms.set(mm.number(), true),
            Operation::Mm(MmCall::Switch { to }) => self.enter(to, false),
        }
    }

    fn end_owned(&mut self, owned: Owned) {
        match owned {
            Owned::Vmalloc { area, .. } => self.areas.hand_out(area.number()),
            Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } => {
                self.areas.slots.changing.set(area.number(), false);
                self.areas.end_use(area.number());
            }
            Owned::Vfree { area } => {
                self.end_unmap(Mapping::Area(area));
                self.areas.slots.owned.set(area.number(), false);
            }
            Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
                self.end_access(place.mapping);
            }
        }
    }

    fn begin_access(&mut self, mapping: Mapping) {
        let (maps, slot) = self.maps_mut(mapping);
        maps.begin_use(slot);
    }

    fn end_access(&mut self, mapping: Mapping) {
        let (maps, slot) = self.maps_mut(mapping);
        maps.end_use(slot);
    }

    /// While the frames beneath them change nobody may use these pages; and from then on again.
    fn lend(&mut self, pages: &PageList, busy: bool) {
        for page in pages.as_slice() {
            self.pages.set(page.number(), !busy);
        }
    }

    fn begin_map(&mut self, mapping: Mapping, pages: PageList) {
        let (maps, slot) = self.maps_mut(mapping);
        maps.slots.free.set(slot, false);
        maps.pages[usize::from(slot)] = pages;
        maps.length[usize::from(slot)] = pages.len() as u8;
        for page in pages.as_slice() {
            self.mappings[page.index()] += 1;
            self.mapped_pages.set(page.number(), true);
        }
    }

    fn end_unmap(&mut self, mapping: Mapping) {
        let (maps, slot) = self.maps_mut(mapping);
        maps.slots.free.set(slot, true);
        let pages = maps.pages[usize::from(slot)];
        for page in pages.as_slice() {
            self.mappings[page.index()] -= 1;
            self.mapped_pages.set(page.number(), self.mappings[page.index()] > 0);
        }
    }
}

impl Maps {
    /// The live mapping that a slot stands for. A slot whose mapping is busy stands for no other.
    fn live(&self, slot: u8) -> Option<u8> {
        self.live_of(slot, self.slots.live)
    }

    /// The same, of these live mappings alone.
    fn live_of(&self, slot: u8, set: SlotSet) -> Option<u8> {
        let busy = !self.slots.live.contains(slot) && !self.slots.free.contains(slot);
        if busy { None } else { set.from(slot) }
    }

    /// The same, if nobody does anything there.
    fn unused_of(&self, slot: u8, set: SlotSet) -> Option<u8> {
        self.live_of(slot, set).filter(|slot| !self.slots.used.contains(*slot))
    }

    fn begin_use(&mut self, slot: u8) {
        self.users[usize::from(slot)] += 1;
        self.slots.used.set(slot, true);
    }

    fn end_use(&mut self, slot: u8) {
        let users = &mut self.users[usize::from(slot)];
        *users -= 1;
        let used = *users > 0;
        self.slots.used.set(slot, used);
    }

    fn hand_out(&mut self, slot: u8) {
        self.slots.live.set(slot, true);
        self.slots.known.set(slot, true);
        self.last_length[usize::from(slot)] = self.length[usize::from(slot)];
    }
}

/// What the write of this event leaves behind.
fn token(index: u16) -> Token {
    Token(u32::from(index) + 1)
}

/// The mapping of the same kind in another slot.
fn like(mapping: Mapping, slot: u8) -> Mapping {
    match mapping {
        Mapping::Area(_) => Mapping::Area(AreaSlot::new(slot)),
        Mapping::Ram(_) => Mapping::Ram(RamSlot::new(slot)),
        Mapping::Buffer(_) => Mapping::Buffer(BufferSlot::new(slot)),
    }
}
