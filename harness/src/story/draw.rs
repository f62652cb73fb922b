//! Draws single events that mean something at one moment of a story: for the generator and for the mutator.
//!
//! It knows which slots are live, so that few events are void; it must not know any bug.

use impls::Designs;
use machine::{Family, Pause, Point, PointKind};
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    AreaSlot, BufferSlot, Mapping, MmCall, MmSlot, Owned, PageSlot, Place, RamSlot, Root, Token, TreeSlot,
};

use crate::combinations;

use super::dice::Dice;
use super::slots::{MapSlots, SlotSet, Slots};
use super::{Action, Backends, Event, Tag, Verb};

/// The events and how often each is drawn where nothing else is said.
pub(super) const USUAL: [(Tag, usize); 47] = [
    (Tag::AllocPage, 3),
    (Tag::FreePage, 4),
    (Tag::Vmap, 8),
    (Tag::Vunmap, 11),
    (Tag::MapRam, 9),
    (Tag::UnmapRam, 12),
    (Tag::DrainAliases, 8),
    (Tag::Read, 6),
    (Tag::Write, 5),
    (Tag::MakeTable, 4),
    (Tag::UnmakeTable, 2),
    (Tag::Continue, 6),
    (Tag::Deliver, 5),
    (Tag::Fill, 5),
    (Tag::DrainStores, 2),
    (Tag::GracePeriod, 1),
    (Tag::RunWork, 3),
    (Tag::DmaAlloc, 8),
    (Tag::DmaFree, 6),
    (Tag::DeviceRead, 4),
    (Tag::DeviceWrite, 4),
    (Tag::Touch, 4),
    (Tag::SetPageFlag, 3),
    (Tag::PinTree, 2),
    (Tag::UnpinTree, 1),
    (Tag::TrackAliases, 1),
    (Tag::HvUpdate, 10),
    (Tag::HvPin, 5),
    (Tag::HvUnpin, 8),
    (Tag::HvWrite, 6),
    (Tag::HvFlush, 5),
    (Tag::Vmalloc, 14),
    (Tag::SetMemoryRo, 8),
    (Tag::SetMemoryRox, 10),
    (Tag::SetMemoryRw, 6),
    (Tag::Vfree, 12),
    (Tag::Exec, 8),
    (Tag::ReadDirect, 14),
    (Tag::WriteDirect, 10),
    (Tag::HvExchange, 3),
    (Tag::VmallocHuge, 15),
    (Tag::HvUpdateVa, 9),
    (Tag::NewMm, 8),
    (Tag::SwitchMm, 12),
    (Tag::DropMm, 10),
    (Tag::SetMemoryWc, 10),
    (Tag::SetMemoryWb, 11),
];

/// What is about buffers for DMA, of which most stories know nothing.
pub(super) const ABOUT_DMA: [Tag; 5] =
    [Tag::DmaAlloc, Tag::DmaFree, Tag::DeviceRead, Tag::DeviceWrite, Tag::Touch];

/// What is about address spaces, of which most stories know nothing but the kernel's own.
pub(super) const ABOUT_MMS: [Tag; 3] = [Tag::NewMm, Tag::SwitchMm, Tag::DropMm];

/// At most so many address spaces are held at once: more would leave no memory for anything else.
const MMS: usize = 3;

/// The weights of [`USUAL`].
pub(super) const USUAL_WEIGHTS: [usize; USUAL.len()] = {
    let mut weights = [0; USUAL.len()];
    let mut at = 0;
    while at < weights.len() {
        weights[at] = USUAL[at].1;
        at += 1;
    }
    weights
};

/// What events are drawn from.
pub(super) struct Draw<'a> {
    pub(super) dice: &'a mut Dice,
    /// How many CPUs there are.
    pub(super) cpus: u8,
    /// What callers hold at this moment.
    pub(super) slots: Slots,
    /// The mapping that the story is about just now.
    pub(super) focus: Option<Mapping>,
    /// The page that was mapped last.
    pub(super) mapped: Option<PageSlot>,
    /// The last raw hypercall to build upon: a table that was pinned, or an entry that was made to lead to a page.
    pub(super) astray: Option<RawCall>,
    /// How often, in percent, callers disable interrupts where they may.
    pub(super) irqs_off: usize,
}

impl Draw<'_> {
    /// Any CPU.
    pub(super) fn cpu(&mut self) -> u8 {
        self.dice.below(usize::from(self.cpus)) as u8
    }

    /// A CPU other than this one, if there is one.
    pub(super) fn other_cpu(&mut self, cpu: u8) -> u8 {
        if self.cpus == 1 {
            return 0;
        }
        (cpu + self.dice.between(1, usize::from(self.cpus) - 1) as u8) % self.cpus
    }

    /// An event of this kind on this CPU; nothing if it could only be void.
    pub(super) fn event(&mut self, tag: Tag, cpu: u8) -> Option<Event> {
        let action = self.action(tag, cpu)?;
        Some(Event { cpu: if action.has_cpu() { cpu } else { 0 }, action, pause: None })
    }

    fn action(&mut self, tag: Tag, cpu: u8) -> Option<Action> {
        Some(match tag {
            Tag::Continue => Action::Continue,
            Tag::Deliver => {
                let from = self.other_cpu(cpu);
                Action::Deliver { from: (self.cpus > 1 && self.dice.percent(30)).then_some(from) }
            }
            Tag::Fill => Action::Fill { place: self.place(|slots| slots.known)? },
            Tag::DrainStores => Action::DrainStores { count: self.dice.geometric(2, 8) as u8 },
            Tag::GracePeriod => Action::GracePeriod,
            Tag::RunWork => Action::RunWork,
            Tag::Touch => Action::Touch,
            _ => {
                let verb = self.verb(tag)?;
                // Drivers do it with interrupts off as often as not.
                let often = if matches!(tag, Tag::DmaAlloc | Tag::DmaFree) { 50 } else { 0 };
                let irqs_off = verb.takes_irqs_off() && self.dice.percent(self.irqs_off.max(often));
                Action::Call { verb, irqs_off }
            }
        })
    }

    fn verb(&mut self, tag: Tag) -> Option<Verb> {
        let slots = self.slots;
        let idle = slots.idle_pages();
        Some(match tag {
            Tag::AllocPage => Verb::AllocPage { page: self.page(slots.free_pages)? },
            Tag::FreePage => Verb::FreePage { page: self.page(idle)? },
            Tag::MakeTable => {
                let last = self.mapped.filter(|page| idle.contains(page.number()));
                let last = last.filter(|_| self.dice.percent(40));
                Verb::MakeTable { page: last.or_else(|| self.page(idle))? }
            }
            Tag::UnmakeTable => Verb::UnmakeTable { page: self.page(slots.tables)? },
            Tag::SetPageFlag => Verb::SetPageFlag { page: self.page(slots.pages)? },
            Tag::PinTree => {
                let first = self.page(idle)?;
                Verb::PinTree { first, count: self.count(), tree: TreeSlot::new(slots.free_trees.from(0)?) }
            }
            Tag::UnpinTree => Verb::UnpinTree { tree: TreeSlot::new(self.dice.slot(slots.trees)?) },
            Tag::TrackAliases => Verb::TrackAliases,
            Tag::Vmap => {
                let first = self.page(slots.pages)?;
                Verb::Vmap { first, count: self.count(), area: AreaSlot::new(slots.areas.free.from(0)?) }
            }
            Tag::MapRam => {
                let first = self.page(slots.pages)?;
                Verb::MapRam { first, count: self.count(), ram: RamSlot::new(slots.rams.free.from(0)?) }
            }
            Tag::Vunmap => {
                let focus = match self.focus {
                    Some(Mapping::Area(area)) => Some(area.number()),
                    _ => None,
                };
                let unused = slots.areas.live.without(slots.areas.used).without(slots.areas.owned);
                Verb::Vunmap { area: AreaSlot::new(self.near(focus, unused)?) }
            }
            Tag::UnmapRam => {
                let focus = match self.focus {
                    Some(Mapping::Ram(ram)) => Some(ram.number()),
                    _ => None,
                };
                let unused = slots.rams.live.without(slots.rams.used);
                Verb::UnmapRam { ram: RamSlot::new(self.near(focus, unused)?) }
            }
            Tag::DrainAliases => Verb::DrainAliases,
            Tag::HvUpdate
            | Tag::HvPin
            | Tag::HvUnpin
            | Tag::HvWrite
            | Tag::HvFlush
            | Tag::HvExchange
            | Tag::HvUpdateVa => Verb::Raw(self.raw(tag)?),
            Tag::Read => Verb::Read { place: self.place(|slots| slots.live)? },
            Tag::Write => Verb::Write { place: self.place(|slots| slots.live)? },
            Tag::DmaAlloc => {
                let first = self.page(idle)?;
                let buffer = BufferSlot::new(slots.buffers.free.from(0)?);
                Verb::DmaAlloc { first, count: self.count(), buffer }
            }
            Tag::DmaFree => {
                let unused = slots.buffers.live.without(slots.buffers.used);
                Verb::DmaFree { buffer: BufferSlot::new(self.near(self.buffer_in_focus(), unused)?) }
            }
            Tag::DeviceRead => {
                let (buffer, page) = self.page_of_buffer()?;
                Verb::DeviceRead { buffer, page }
            }
            Tag::DeviceWrite => {
                let (buffer, page) = self.page_of_buffer()?;
                Verb::DeviceWrite { buffer, page }
            }
            Tag::NewMm | Tag::SwitchMm | Tag::DropMm => Verb::Mm(self.mm(tag)?),
            _ => return self.owned(tag).map(Verb::Owned),
        })
    }

    /// What is done with address spaces.
    fn mm(&mut self, tag: Tag) -> Option<MmCall> {
        let mms = self.slots.mms;
        Some(match tag {
            Tag::NewMm => {
                let room = (mms.len() < MMS).then_some(self.slots.free_mms)?;
                MmCall::New { mm: MmSlot::new(room.from(0)?) }
            }
            Tag::DropMm => {
                let idle = mms.without(self.slots.entered_mms);
                MmCall::Drop { mm: MmSlot::new(self.dice.slot(idle)?) }
            }
            _ if mms.is_empty() => return None,
            _ if self.dice.percent(20) => MmCall::Switch { to: Root::Init },
            _ => MmCall::Switch { to: Root::Mm(MmSlot::new(self.dice.slot(mms)?)) },
        })
    }

    /// What is done with areas that own their pages.
    fn owned(&mut self, tag: Tag) -> Option<Owned> {
        let areas = self.slots.areas;
        let own = areas.live & areas.owned;
        let focus = match self.focus {
            Some(Mapping::Area(area)) => Some(area.number()),
            _ => None,
        };
        let mut area = |set: SlotSet| self.near(focus, set).map(AreaSlot::new);
        Some(match tag {
            Tag::Vmalloc | Tag::VmallocHuge => Owned::Vmalloc {
                count: self.dice.geometric(2, 4) as u8,
                area: AreaSlot::new(areas.free.from(0)?),
                huge: tag == Tag::VmallocHuge,
            },
            Tag::Vfree => Owned::Vfree { area: area(own.without(areas.used))? },
            Tag::Exec => Owned::Exec { place: self.place(|slots| slots.live)? },
            Tag::ReadDirect => Owned::ReadDirect { place: self.place(|slots| slots.live & slots.owned)? },
            Tag::WriteDirect => {
                let place = self.place(|slots| slots.live & slots.owned)?;
                Owned::WriteDirect { place, token: Token::ZERO }
            }
            _ => {
                let area = area(own.without(areas.changing))?;
                match tag.memory_type() {
                    Some(memory_type) => Owned::SetMemoryType { area, memory_type },
                    None => Owned::SetMemory { area, access: tag.access()? },
                }
            }
        })
    }

    /// A raw hypercall. Few pages are given up, so that what was done to one is built upon.
    fn raw(&mut self, tag: Tag) -> Option<RawCall> {
        let raw = self.slots.raw;
        if let Some(call) =
            self.astray.filter(|_| self.dice.percent(75)).and_then(|last| self.raw_after(tag, last))
        {
            return Some(call);
        }
        let fresh = self.slots.pages.without(self.slots.mapped_pages).without(self.slots.flagged_pages);
        let any = |draw: &mut Self| {
            let again = !raw.is_empty() && (raw.len() >= 4 || draw.dice.percent(60));
            draw.page(if again { raw } else { fresh.or(raw) })
        };
        let index = if self.dice.percent(70) { 0 } else { self.dice.below(RawCall::ENTRIES.into()) as u8 };
        Some(match tag {
            Tag::HvUpdate => {
                let table = any(self)?;
                let to = any(self)?;
                RawCall::Update { table, index, entry: self.raw_entry(to) }
            }
            Tag::HvUpdateVa => {
                let table = self.page(raw)?;
                let to = any(self)?;
                RawCall::UpdateVa { table, index, entry: self.raw_entry(to) }
            }
            Tag::HvPin => {
                RawCall::Pin { page: any(self)?, level: self.dice.weighted(&[10, 5, 2, 1]) as u8 + 1 }
            }
            Tag::HvUnpin => RawCall::Unpin { page: self.page(raw)? },
            Tag::HvExchange => RawCall::Exchange { page: any(self)? },
            Tag::HvWrite => RawCall::Write { table: self.page(raw)?, index },
            _ => RawCall::Flush,
        })
    }

    /// What an entry is to hold: mostly something, and mostly this page.
    fn raw_entry(&mut self, page: PageSlot) -> RawEntry {
        if self.dice.percent(30) {
            return RawEntry::Empty;
        }
        let to = if self.dice.percent(8) { RawFrame::Foreign } else { RawFrame::Page(page) };
        RawEntry::Leads { to, access: RawAccess::ALL[self.dice.weighted(&[4, 12, 1])] }
    }

    /// A raw hypercall about what the last one was about.
    fn raw_after(&mut self, tag: Tag, last: RawCall) -> Option<RawCall> {
        Some(match (tag, last) {
            // Another flag, and nothing else of it changes.
            (Tag::HvUpdate, RawCall::Update { table, index, entry: RawEntry::Leads { to, .. } })
                if self.dice.percent(30) =>
            {
                RawCall::Update { table, index, entry: RawEntry::Leads { to, access: RawAccess::Large } }
            }
            (Tag::HvUpdate, RawCall::Update { table, index, .. }) => {
                RawCall::Update { table, index, entry: RawEntry::Empty }
            }
            (Tag::HvUpdate, RawCall::Pin { page, .. }) => {
                // Mostly a page that is no table, so that something can be written there.
                let slots = self.slots;
                let fresh = slots.pages.without(slots.mapped_pages).without(slots.flagged_pages);
                let mut others = if self.dice.percent(70) { fresh.without(slots.raw) } else { slots.raw };
                others.set(page.number(), false);
                let to = RawFrame::Page(self.page(others).or_else(|| self.page(fresh))?);
                let entry = RawEntry::Leads { to, access: RawAccess::Writable };
                RawCall::Update { table: page, index: 0, entry }
            }
            (Tag::HvWrite, RawCall::Update { table, index, .. } | RawCall::UpdateVa { table, index, .. }) => {
                RawCall::Write { table, index }
            }
            (Tag::HvUpdateVa, RawCall::Pin { page, .. }) => {
                let to = self.page(self.slots.raw)?;
                RawCall::UpdateVa { table: page, index: 0, entry: self.raw_entry(to) }
            }
            (Tag::HvUpdateVa, RawCall::Update { table, index, .. }) => {
                let to = self.page(self.slots.raw)?;
                RawCall::UpdateVa { table, index, entry: self.raw_entry(to) }
            }
            (Tag::HvWrite, RawCall::Pin { page, .. }) => RawCall::Write { table: page, index: 0 },
            (Tag::HvPin, RawCall::Update { table, .. }) if self.dice.percent(50) => {
                RawCall::Pin { page: table, level: 1 }
            }
            (Tag::HvPin, RawCall::Update { entry: RawEntry::Leads { to: RawFrame::Page(page), .. }, .. }) => {
                RawCall::Pin { page, level: self.dice.weighted(&[10, 5, 2, 1]) as u8 + 1 }
            }
            (Tag::HvUnpin, RawCall::Update { table, .. }) => RawCall::Unpin { page: table },
            (Tag::HvUnpin, RawCall::Pin { page, .. }) => RawCall::Unpin { page },
            (Tag::HvExchange, RawCall::Exchange { page }) => {
                let mut others = self.slots.pages.without(self.slots.mapped_pages).or(self.slots.raw);
                others.set(page.number(), false);
                RawCall::Exchange { page: self.page(others.without(self.slots.flagged_pages))? }
            }
            (Tag::HvUpdate, RawCall::Exchange { page }) => {
                let mut others = self.slots.raw;
                others.set(page.number(), false);
                let (to, access) = (RawFrame::Page(page), RawAccess::Writable);
                RawCall::Update { table: self.page(others)?, index: 0, entry: RawEntry::Leads { to, access } }
            }
            _ => return None,
        })
    }

    fn page(&mut self, set: SlotSet) -> Option<PageSlot> {
        // Stories are easier to read, and pages more often the same, where low slots are preferred.
        let slot = if self.dice.percent(40) { set.from(0) } else { self.dice.slot(set) };
        slot.map(PageSlot::new)
    }

    fn count(&mut self) -> u8 {
        self.dice.geometric(2, 8) as u8
    }

    /// A slot of the set, more often than not the one in focus.
    fn near(&mut self, focus: Option<u8>, set: SlotSet) -> Option<u8> {
        match focus {
            Some(slot) if set.contains(slot) && self.dice.percent(60) => Some(slot),
            _ => self.dice.slot(set),
        }
    }

    fn buffer_in_focus(&self) -> Option<u8> {
        match self.focus {
            Some(Mapping::Buffer(buffer)) => Some(buffer.number()),
            _ => None,
        }
    }

    fn page_of_buffer(&mut self) -> Option<(BufferSlot, u8)> {
        let buffer = self.near(self.buffer_in_focus(), self.slots.buffers.live)?;
        Some((BufferSlot::new(buffer), self.page_within()))
    }

    fn page_within(&mut self) -> u8 {
        if self.dice.percent(60) { 0 } else { self.dice.below(4) as u8 }
    }

    fn place(&mut self, set: impl Fn(&MapSlots) -> SlotSet) -> Option<Place> {
        let (areas, rams) = (set(&self.slots.areas), set(&self.slots.rams));
        let buffers = set(&self.slots.buffers);
        let focus = self.focus.filter(|focus| match focus {
            Mapping::Area(area) => areas.contains(area.number()),
            Mapping::Ram(ram) => rams.contains(ram.number()),
            Mapping::Buffer(buffer) => buffers.contains(buffer.number()),
        });
        let (count, both) = (areas.len() + rams.len() + buffers.len(), areas.len() + rams.len());
        let mapping = match focus {
            Some(mapping) if self.dice.percent(60) => mapping,
            _ if count == 0 => return None,
            _ => match self.dice.below(count) {
                number if number < areas.len() => Mapping::Area(AreaSlot::new(self.dice.slot(areas)?)),
                number if number < both => Mapping::Ram(RamSlot::new(self.dice.slot(rams)?)),
                _ => Mapping::Buffer(BufferSlot::new(self.dice.slot(buffers)?)),
            },
        };
        Some(Place { mapping, page: self.page_within() })
    }
}

/// A combination of designs that is correct on these backends: a variant of each point, any of them as often.
pub(super) fn designs(dice: &mut Dice, on: Backends) -> Designs {
    loop {
        let mut designs = Designs::default();
        for point in Designs::POINTS {
            let (variant, _) = dice.pick(point.variants);
            designs.choose(point.name, variant).expect("a variant of the point");
        }
        if combinations::flaw(designs, on).is_none() {
            return designs;
        }
    }
}

/// A pause for an event of this kind: mostly by number, near the beginning more often than far from it.
pub(super) fn pause(dice: &mut Dice, tag: Tag, mean: usize, by_name: usize) -> Pause {
    if !dice.percent(by_name) {
        return Pause::At(dice.geometric(mean, 160) as u16);
    }
    let held_up = worth_holding_up(tag);
    let (kind, family) = match dice.below(100) {
        0..45 if !held_up.is_empty() => dice.pick(held_up),
        // Inside a critical section, and with interrupts on their way: where others come to wait.
        0..60 => (PointKind::Store, named(dice, "lock")),
        60..75 => (PointKind::Wait, named(dice, "_ack")),
        _ => {
            let kind = dice.pick(&PointKind::ALL);
            (kind, family_for(dice, kind))
        }
    };
    Pause::Before { point: Point { kind, family }, occurrence: dice.geometric(2, 255) as u8 }
}

/// Where an event of this kind is in the way of others, if it gets there at all: before it lets go of a lock, and while
/// it waits for answers.
const fn worth_holding_up(tag: Tag) -> &'static [(PointKind, Family)] {
    use PointKind::{Cr3, Load, Locked, Store, Wait};
    use impls::family::{
        AREA_LOCK, BLOCK_LOCK, BLOCK_QUEUE_LOCK, CALL_ACK, COUNT_INFO, FLUSH_LOCK, FREE_AREA_LOCK, HEAP_LOCK,
        HYPERVISOR_ACK, KERNEL_TABLES, LAZY_LOCK, LOADED_MM, MAP_LOCK, PAGE_FLAGS, TLB_CLOCK, TLB_TIME,
        TYPE_INFO, XEN_PMD, XEN_PTE, ZONE_LOCK,
    };
    match tag {
        Tag::AllocPage | Tag::FreePage => &[(Store, ZONE_LOCK)],
        Tag::Vmap => &[(Store, FREE_AREA_LOCK), (Store, AREA_LOCK), (Wait, HYPERVISOR_ACK)],
        Tag::Vunmap => &[(Store, LAZY_LOCK), (Store, AREA_LOCK), (Locked, Family::PTE)],
        Tag::MapRam => &[(Store, BLOCK_QUEUE_LOCK), (Store, BLOCK_LOCK), (Store, FREE_AREA_LOCK)],
        Tag::UnmapRam => {
            &[(Store, LAZY_LOCK), (Store, BLOCK_QUEUE_LOCK), (Store, BLOCK_LOCK), (Locked, Family::PTE)]
        }
        Tag::DrainAliases | Tag::RunWork => &[(Wait, CALL_ACK), (Store, LAZY_LOCK), (Store, FREE_AREA_LOCK)],
        Tag::SetPageFlag => &[(Store, PAGE_FLAGS)],
        Tag::MakeTable | Tag::PinTree => {
            &[(Wait, HYPERVISOR_ACK), (Wait, HYPERVISOR_ACK), (Store, FLUSH_LOCK), (Locked, ZONE_LOCK)]
        }
        Tag::NewMm => &[(Locked, KERNEL_TABLES)],
        Tag::SwitchMm => &[(Cr3, Family::NONE)],
        Tag::DropMm => &[(Locked, KERNEL_TABLES), (Wait, LOADED_MM)],
        Tag::HvUpdate | Tag::HvUpdateVa => {
            &[(Locked, Family::PTE), (Locked, Family::PTE), (Locked, TYPE_INFO)]
        }
        Tag::HvPin | Tag::HvUnpin => &[(Locked, TYPE_INFO), (Wait, HYPERVISOR_ACK)],
        Tag::HvExchange => &[
            (Locked, COUNT_INFO),
            (Locked, COUNT_INFO),
            (Wait, HYPERVISOR_ACK),
            (Locked, MAP_LOCK),
            (Locked, XEN_PMD),
            (Load, XEN_PTE),
            (Locked, HEAP_LOCK),
        ],
        Tag::DmaAlloc | Tag::DmaFree => {
            &[(Locked, MAP_LOCK), (Locked, XEN_PMD), (Load, XEN_PTE), (Locked, HEAP_LOCK)]
        }
        Tag::HvFlush => &[(Locked, TLB_CLOCK), (Store, TLB_TIME), (Wait, HYPERVISOR_ACK)],
        _ => &[],
    }
}

/// A family whose name ends so.
fn named(dice: &mut Dice, end: &str) -> Family {
    let families = || impls::family::ALL.iter().filter(|(_, name)| name.ends_with(end));
    let number = dice.below(families().count());
    families().nth(number).map_or(Family::NONE, |(family, _)| *family)
}

/// A family to which an access of this kind can be.
fn family_for(dice: &mut Dice, kind: PointKind) -> Family {
    match kind {
        PointKind::Load | PointKind::Store | PointKind::Locked | PointKind::Wait => {
            let (own, kernel) = (&Family::OWN[..], impls::family::ALL);
            let number = dice.below(own.len() + kernel.len());
            own.iter().chain(kernel).nth(number).map_or(Family::NONE, |(family, _)| *family)
        }
        PointKind::Read | PointKind::Write | PointKind::Fetch => Family::DATA,
        // The others are about no variable.
        _ => Family::NONE,
    }
}

/// Whether a pause is within a critical section, as far as can be told: before a store that may release a lock.
pub(super) fn holds_lock(pause: Option<Pause>) -> bool {
    matches!(pause, Some(Pause::Before { point: Point { kind: PointKind::Store, .. }, .. }))
}

/// Whether a pause leaves interrupts on their way: the CPU has just sent some, or waits for the answers.
pub(super) fn holds_interrupts(pause: Option<Pause>) -> bool {
    matches!(pause, Some(Pause::Before { point: Point { kind: PointKind::Wait | PointKind::Ipi, .. }, .. }))
}

/// What would wait for somebody who is paused here: within a critical section, or while it waits for answers and holds
/// what it took for the flush.
pub(super) const fn waiters(pause: Option<Pause>) -> &'static [Tag] {
    use impls::family::{
        AREA_LOCK, BLOCK_LOCK, BLOCK_QUEUE_LOCK, FLUSH_LOCK, FREE_AREA_LOCK, KERNEL_TABLES, LAZY_LOCK,
        PURGE_LOCK, TABLE_LOCK, ZONE_LOCK,
    };
    let family = match pause {
        Some(Pause::Before { point: Point { kind: PointKind::Store, family }, .. }) => family,
        Some(Pause::Before { point: Point { kind: PointKind::Wait, family }, .. }) => held_by(family),
        _ => return &[],
    };
    match family {
        ZONE_LOCK => &[Tag::AllocPage, Tag::FreePage],
        FREE_AREA_LOCK => &[Tag::Vmap],
        AREA_LOCK | TABLE_LOCK => &[Tag::Vmap, Tag::Vunmap],
        LAZY_LOCK => &[Tag::Vunmap, Tag::UnmapRam, Tag::DrainAliases],
        PURGE_LOCK => &[Tag::DrainAliases],
        BLOCK_LOCK => &[Tag::MapRam, Tag::UnmapRam, Tag::DrainAliases],
        BLOCK_QUEUE_LOCK => &[Tag::MapRam, Tag::UnmapRam],
        KERNEL_TABLES => &[Tag::Vmap, Tag::MapRam, Tag::DrainAliases],
        FLUSH_LOCK => &[Tag::MakeTable],
        _ => &[],
    }
}

/// A pause at finding taken what somebody holds who is paused here.
pub(super) fn wait_there(pause: Option<Pause>) -> Option<Pause> {
    match pause {
        Some(Pause::Before { point, .. }) if point.kind == PointKind::Wait => {
            Some(wait_for(held_by(point.family)))
        }
        Some(Pause::Before { point, .. }) => Some(wait_for(point.family)),
        _ => None,
    }
}

/// The lock that is held by who waits for answers of this family.
const fn held_by(answers: Family) -> Family {
    match answers {
        impls::family::HYPERVISOR_ACK => impls::family::FLUSH_LOCK,
        impls::family::CALL_ACK => impls::family::PURGE_LOCK,
        _ => Family::NONE,
    }
}

/// A pause within the handler whose answer somebody waits for who is paused here.
pub(super) fn in_handler(dice: &mut Dice, pause: Option<Pause>) -> Option<Pause> {
    use PointKind::{Load, Store};
    use impls::family::{CALL_ACK, FLUSH_INFO, HYPERVISOR_ACK, HYPERVISOR_FLUSH};
    let Some(Pause::Before { point: Point { family, .. }, .. }) = pause else { return None };
    let (kind, family) = match family {
        HYPERVISOR_ACK => {
            dice.pick(&[(Load, HYPERVISOR_FLUSH), (Load, HYPERVISOR_ACK), (Store, HYPERVISOR_ACK)])
        }
        _ => dice.pick(&[(Load, FLUSH_INFO), (Load, CALL_ACK), (Store, CALL_ACK)]),
    };
    Some(Pause::Before { point: Point { kind, family }, occurrence: 1 })
}

/// A pause at the second reference of a frame that is touched: when one was taken, and nothing was done on the strength of it.
pub(super) const BEFORE_REFERENCE: Pause = Pause::Before {
    point: Point { kind: PointKind::Locked, family: impls::family::COUNT_INFO },
    occurrence: 2,
};

/// A pause while the frames that are exchanged are nobody's.
pub(super) fn half_exchanged(dice: &mut Dice) -> Pause {
    use impls::family::{MAP_LOCK, XEN_PMD};
    let family = dice.pick(&[MAP_LOCK, XEN_PMD]);
    let point = Point { kind: PointKind::Locked, family };
    Pause::Before { point, occurrence: dice.geometric(2, 4) as u8 }
}

/// A pause before the hypervisor's TLB clock ticks, on the CPU that flushes.
pub(super) const BEFORE_TICK: Pause = Pause::Before {
    point: Point { kind: PointKind::Locked, family: impls::family::TLB_CLOCK },
    occurrence: 1,
};

/// A pause before a page is got from the allocator.
pub(super) const BEFORE_MEMORY: Pause = Pause::Before {
    point: Point { kind: PointKind::Locked, family: impls::family::ZONE_LOCK },
    occurrence: 1,
};

/// A pause before an entry is changed, with all that was done for it before.
pub(super) const BEFORE_ENTRY: Pause =
    Pause::Before { point: Point { kind: PointKind::Locked, family: Family::PTE }, occurrence: 1 };

/// A pause at finding this lock taken.
pub(super) fn wait_for(family: Family) -> Pause {
    Pause::Before { point: Point { kind: PointKind::Wait, family }, occurrence: 1 }
}
