//! The handles that callers hold, as told: what is busy from when on, and what comes of it. It knows nothing of CPUs and
//! pauses; see [`state`](super::state). Beneath, slots are bound to handles.

mod bind;
mod operands;

use impls::Sizes;
use oracle::vocabulary::astray::RawCall;
use oracle::vocabulary::{
    AreaSlot, BufferSlot, Mapping, MmCall, Operation, Owned, PageList, Place, RamSlot, Root, SLOTS,
};

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
    /// Those of them that were pinned last, and not unpinned since.
    pinned: SlotSet,
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
            pinned: none,
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
            pinned: self.pinned,
            mms: self.mms,
            free_mms: self.free_mms,
            entered_mms: self.entered_mms,
            areas: self.areas.slots,
            rams: self.rams.slots,
            buffers: self.buffers.slots,
        }
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
            Operation::DmaAlloc { pages, buffer, .. } => {
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
                if let RawCall::Unpin { page } = call {
                    self.pinned.set(page.number(), false);
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
            Operation::DmaAlloc { pages, buffer, .. } => {
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
            Operation::Raw(RawCall::Pin { page, .. }) => self.pinned.set(page.number(), true),
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

/// The mapping of the same kind in another slot.
fn like(mapping: Mapping, slot: u8) -> Mapping {
    match mapping {
        Mapping::Area(_) => Mapping::Area(AreaSlot::new(slot)),
        Mapping::Ram(_) => Mapping::Ram(RamSlot::new(slot)),
        Mapping::Buffer(_) => Mapping::Buffer(BufferSlot::new(slot)),
    }
}
