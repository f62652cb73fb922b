//! Draws single events that mean something at one moment of a story: for the generator and for the mutator.
//!
//! It knows which slots are live, so that few events are void; it must not know any bug.

mod raw;

use impls::Designs;
use oracle::vocabulary::astray::RawCall;
use oracle::vocabulary::{
    AreaSlot, BufferSlot, Mapping, MmCall, MmSlot, Owned, PageSlot, Place, RamSlot, Root, Token, TreeSlot,
};

use crate::combinations;

use super::dice::Dice;
use super::slots::{MapSlots, Operands, SlotSet, Slots};
use super::{Action, Backends, Event, Tag, Verb};

/// The events and how often each is drawn where nothing else is said.
pub(super) const USUAL: [(Tag, usize); 48] = [
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
    (Tag::DmaAllocWide, 4),
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
pub(super) const ABOUT_DMA: [Tag; 6] =
    [Tag::DmaAlloc, Tag::DmaAllocWide, Tag::DmaFree, Tag::DeviceRead, Tag::DeviceWrite, Tag::Touch];

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
    /// The operands of all paused operations. Events are drawn to them, in every role that they can take there.
    pub(super) held_up: Operands,
    /// Why the event is told.
    pub(super) why: Why,
    /// How often, in percent, callers disable interrupts where they may.
    pub(super) irqs_off: usize,
}

/// Why an event is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// By chance.
    Chance,
    /// It usually follows.
    Follows,
    /// It meets what is held up.
    Meets,
    /// The event that meets what is held up needs it.
    Prepares,
    /// It uses what the one before has made, or undoes it.
    Undoes,
}

impl Why {
    /// How often, in percent, the event is about what is held up, where it can be.
    const fn attracted(self) -> usize {
        match self {
            Self::Chance | Self::Follows | Self::Undoes => 50,
            Self::Meets => 80,
            Self::Prepares => 0,
        }
    }
}

impl Draw<'_> {
    /// Any CPU.
    pub(super) fn cpu(&mut self) -> u8 {
        self.dice.below(usize::from(self.cpus)) as u8
    }

    /// A CPU other than this one, if there is one.
    pub(super) fn other_cpu(&mut self, cpu: u8) -> u8 {
        other_cpu(self.dice, cpu, self.cpus)
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
                let often =
                    if matches!(tag, Tag::DmaAlloc | Tag::DmaAllocWide | Tag::DmaFree) { 50 } else { 0 };
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
                let unused = slots.areas.live.without(slots.areas.used).without(slots.areas.owned);
                Verb::Vunmap {
                    area: AreaSlot::new(self.near(self.area_in_focus(), unused, self.held_up.areas)?),
                }
            }
            Tag::UnmapRam => {
                let focus = match self.focus {
                    Some(Mapping::Ram(ram)) => Some(ram.number()),
                    _ => None,
                };
                let unused = slots.rams.live.without(slots.rams.used);
                Verb::UnmapRam { ram: RamSlot::new(self.near(focus, unused, self.held_up.rams)?) }
            }
            Tag::DrainAliases => Verb::DrainAliases,
            Tag::Read => Verb::Read { place: self.place(|slots| slots.live)? },
            Tag::Write => Verb::Write { place: self.place(|slots| slots.live)? },
            Tag::DmaAlloc | Tag::DmaAllocWide => {
                let (first, device) = (self.page(idle)?, tag.device()?);
                let buffer = BufferSlot::new(slots.buffers.free.from(0)?);
                Verb::DmaAlloc { first, count: self.count(), buffer, device }
            }
            Tag::DmaFree => {
                let unused = slots.buffers.live.without(slots.buffers.used);
                Verb::DmaFree {
                    buffer: BufferSlot::new(self.near(
                        self.buffer_in_focus(),
                        unused,
                        self.held_up.buffers,
                    )?),
                }
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
            _ if tag.is_raw() => Verb::Raw(self.raw(tag)?),
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
                let idle = self.attracted(idle, self.held_up.mms);
                MmCall::Drop { mm: MmSlot::new(self.dice.slot(idle)?) }
            }
            _ if mms.is_empty() => return None,
            _ if self.dice.percent(20) => MmCall::Switch { to: Root::Init },
            _ => {
                let mms = self.attracted(mms, self.held_up.mms);
                MmCall::Switch { to: Root::Mm(MmSlot::new(self.dice.slot(mms)?)) }
            }
        })
    }

    /// What is done with areas that own their pages.
    fn owned(&mut self, tag: Tag) -> Option<Owned> {
        let areas = self.slots.areas;
        let own = areas.live & areas.owned;
        let focus = self.area_in_focus();
        let held_up = self.held_up.areas;
        let mut area = |set: SlotSet| self.near(focus, set, held_up).map(AreaSlot::new);
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

    /// These slots, or those of them that are held up.
    fn attracted(&mut self, set: SlotSet, held_up: SlotSet) -> SlotSet {
        let there = set & held_up;
        if there.is_empty() || !self.dice.percent(self.why.attracted()) { set } else { there }
    }

    fn page(&mut self, set: SlotSet) -> Option<PageSlot> {
        let set = self.attracted(set, self.held_up.pages);
        // Stories are easier to read, and pages more often the same, where low slots are preferred.
        let slot = if self.dice.percent(40) { set.from(0) } else { self.dice.slot(set) };
        slot.map(PageSlot::new)
    }

    fn count(&mut self) -> u8 {
        self.dice.geometric(2, 8) as u8
    }

    /// A slot of the set, more often than not one that is held up or the one in focus.
    fn near(&mut self, focus: Option<u8>, set: SlotSet, held_up: SlotSet) -> Option<u8> {
        if let Some(slot) = focus.filter(|slot| self.why == Why::Undoes && set.contains(*slot)) {
            return Some(slot);
        }
        let set = self.attracted(set, held_up);
        match focus {
            Some(slot) if set.contains(slot) && self.dice.percent(60) => Some(slot),
            _ => self.dice.slot(set),
        }
    }

    fn area_in_focus(&self) -> Option<u8> {
        match self.focus {
            Some(Mapping::Area(area)) => Some(area.number()),
            _ => None,
        }
    }

    fn buffer_in_focus(&self) -> Option<u8> {
        match self.focus {
            Some(Mapping::Buffer(buffer)) => Some(buffer.number()),
            _ => None,
        }
    }

    fn page_of_buffer(&mut self) -> Option<(BufferSlot, u8)> {
        let buffer = self.near(self.buffer_in_focus(), self.slots.buffers.live, self.held_up.buffers)?;
        Some((BufferSlot::new(buffer), self.page_within()))
    }

    fn page_within(&mut self) -> u8 {
        if self.dice.percent(60) { 0 } else { self.dice.below(4) as u8 }
    }

    fn place(&mut self, set: impl Fn(&MapSlots) -> SlotSet) -> Option<Place> {
        let (mut areas, mut rams) = (set(&self.slots.areas), set(&self.slots.rams));
        let mut buffers = set(&self.slots.buffers);
        let Operands { areas: held_areas, rams: held_rams, buffers: held_buffers, .. } = self.held_up;
        let there = (areas & held_areas, rams & held_rams, buffers & held_buffers);
        let undoes = self.why == Why::Undoes;
        if !undoes && there != Default::default() && self.dice.percent(self.why.attracted()) {
            (areas, rams, buffers) = there;
        }
        let focus = self.focus.filter(|focus| match focus {
            Mapping::Area(area) => areas.contains(area.number()),
            Mapping::Ram(ram) => rams.contains(ram.number()),
            Mapping::Buffer(buffer) => buffers.contains(buffer.number()),
        });
        let (count, both) = (areas.len() + rams.len() + buffers.len(), areas.len() + rams.len());
        let mapping = match focus {
            Some(mapping) if undoes || self.dice.percent(60) => mapping,
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

/// Of so many CPUs one other than this, if there is one.
pub(super) fn other_cpu(dice: &mut Dice, cpu: u8, cpus: u8) -> u8 {
    let step = if cpus > 1 { dice.between(1, usize::from(cpus) - 1) as u8 } else { 0 };
    (cpu + step) % cpus
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
