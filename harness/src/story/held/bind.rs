//! Binds the slots of an event to what callers hold: which handles it is about, and whether its caller may ask for it at all.
//! Here the caller's contract is kept: an operation that would break it must never be told to a kernel.

use oracle::vocabulary::astray::{RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    AreaSlot, BufferSlot, MAX_PAGES, Mapping, MmCall, MmSlot, Operation, Owned, PageList, PageSlot, Place,
    RamSlot, Root, Token, TreeSlot,
};

use super::{Held, Maps, like};
use crate::story::Verb;
use crate::story::slots::SlotSet;

impl Held {
    /// The operation with its operands, or nothing where one is missing or the caller must not ask for it.
    pub(in crate::story) fn bind(&self, index: u16, verb: Verb) -> Option<Operation> {
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
            Verb::DmaAlloc { first, count, buffer, device } => {
                let buffer = BufferSlot::new(self.buffers.slots.free.from(buffer.number())?);
                Operation::DmaAlloc { pages: self.idle_list(first, count)?, buffer, device }
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
        self.mms.stand_in(mm.number(), self.mms.or(self.free_mms)).map(MmSlot::new)
    }

    fn bind_owned(&self, index: u16, owned: Owned) -> Option<Owned> {
        let areas = &self.areas;
        let own = areas.slots.live & areas.slots.owned;
        // One that is being changed stands for no other.
        let steady = |area: AreaSlot| {
            let slot = areas.live_of(area.number(), own)?;
            (!areas.slots.changing.contains(slot)).then_some(AreaSlot::new(slot))
        };
        Some(match owned {
            Owned::Vmalloc { count, area, huge } => {
                let slot = areas.slots.free.from(area.number())?;
                Owned::Vmalloc { count: count.clamp(1, MAX_PAGES as u8), area: AreaSlot::new(slot), huge }
            }
            Owned::SetMemory { area, access } => Owned::SetMemory { area: steady(area)?, access },
            Owned::SetMemoryType { area, memory_type } => {
                Owned::SetMemoryType { area: steady(area)?, memory_type }
            }
            Owned::Vfree { area } => {
                Owned::Vfree { area: AreaSlot::new(areas.unused_of(area.number(), own)?) }
            }
            Owned::Exec { place } => Owned::Exec { place: self.place(place)? },
            Owned::ReadDirect { place } => Owned::ReadDirect { place: self.direct(place, own)? },
            Owned::WriteDirect { place, .. } => {
                Owned::WriteDirect { place: self.direct(place, own)?, token: token(index) }
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
        let known = self.pages.or(self.free_pages).or(self.tables).or(self.tree_tables).or(self.raw);
        set.stand_in(page.number(), known).map(PageSlot::new)
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
        self.trees.stand_in(tree.number(), self.trees.or(self.free_trees)).map(TreeSlot::new)
    }

    /// A raw hypercall: what it names was given up already, or is now.
    fn bind_raw(&self, call: RawCall) -> Option<RawCall> {
        let candidates = self.idle_pages().or(self.raw);
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
}

impl Maps {
    /// The live mapping that a slot stands for. A slot whose mapping is busy stands for no other.
    fn live(&self, slot: u8) -> Option<u8> {
        self.live_of(slot, self.slots.live)
    }

    /// The same, of these live mappings alone.
    fn live_of(&self, slot: u8, set: SlotSet) -> Option<u8> {
        set.stand_in(slot, self.slots.live.or(self.slots.free))
    }

    /// The same, if nobody does anything there.
    fn unused_of(&self, slot: u8, set: SlotSet) -> Option<u8> {
        self.live_of(slot, set).filter(|slot| !self.slots.used.contains(*slot))
    }
}

/// What the write of this event leaves behind.
fn token(index: u16) -> Token {
    Token(u32::from(index) + 1)
}
