//! The bytes of a story: a header of four bytes, then records of four.
//!
//! ```text
//! header   version | cpus - 1 (bits 0-1), sizes (bits 2-4) | temperament | backends
//! designs  tag     | design | design | design          (of the header, wherever it stands; 0 is none)
//! event    tag     | cpu (bits 0-1), irqs-off (bits 2-4: 1 is off) | operand | operand
//! pause    tag     | number, or kind of point  | family | occurrence
//! ```
//!
//! Decoding never fails below the cap: a value without meaning stands for one that has it, so that a fuzzer wastes
//! nothing. Encoding is canonical: every value that it writes has a meaning of its own, which must never change.

use core::fmt;

use impls::{Designs, Sizes};
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    Access, AreaSlot, BufferSlot, Device, MAX_PAGES, Mapping, MemoryType, MmCall, MmSlot, Owned, PageSlot,
    Place, RamSlot, Root, Token, TreeSlot,
};

use crate::combinations;

use super::{Action, Backends, Event, Header, MAX_CPUS, MAX_STORES, Story, Tag, VERSION, Verb, design_tag};

/// Length of the header in bytes.
pub const HEADER: usize = 4;
/// Length of a record in bytes.
pub const STRIDE: usize = 4;
/// A story is at most so many bytes long.
pub const MAX_BYTES: usize = 4096;
/// A story has at most so many records: one for each event, one more for each pause, and those of its designs.
pub const MAX_RECORDS: usize = (MAX_BYTES - HEADER) / STRIDE;

/// The bytes are more than [`MAX_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge {
    /// How many there are.
    pub size: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a story is at most {MAX_BYTES} bytes long, and this has {}", self.size)
    }
}

impl std::error::Error for TooLarge {}

impl Story {
    /// The story that these bytes hold; an error if they are more than [`MAX_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TooLarge> {
        let mut story = Self::default();
        story.decode_from(bytes)?;
        Ok(story)
    }

    /// As [`Story::decode`], into a story whose memory is used again.
    pub fn decode_from(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if bytes.len() > MAX_BYTES {
            return Err(TooLarge { size: bytes.len() });
        }
        let (header, records) = bytes.split_at(bytes.len().min(HEADER));
        let mut padded = [0; HEADER];
        padded[..header.len()].copy_from_slice(header);
        self.header = decode_header(padded);
        self.events.clear();
        // A record that is cut off says nothing.
        for record in records.as_chunks::<STRIDE>().0 {
            match decode_record(*record, self.header.cpus) {
                Record::Event(event) => self.events.push(event),
                Record::Pause(pause) => {
                    if let Some(last) = self.events.last_mut().filter(|last| last.action.takes_pause()) {
                        last.pause = Some(pause);
                    }
                }
                Record::Designs(tags) => {
                    for tag in tags {
                        design_tag::choose(&mut self.header.designs, tag);
                    }
                }
            }
        }
        combinations::repair(&mut self.header.designs, self.header.backends);
        Ok(())
    }

    /// The bytes of this story. Events beyond [`MAX_RECORDS`] are left off, as is whatever has no meaning where it
    /// stands (a pause of a fill).
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_to(&mut bytes);
        bytes
    }

    /// As [`Story::encode`], into memory that is used again.
    pub fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend(encode_header(self.header));
        let mut designs = design_tag::tags(self.header.designs);
        while let Some(first) = designs.next() {
            let mut next = || designs.next().unwrap_or(0);
            bytes.extend([Tag::Designs.number(), first, next(), next()]);
        }
        for event in &self.events {
            if bytes.len() + event.records() * STRIDE > MAX_BYTES {
                break;
            }
            bytes.extend(encode_event(event, self.header.cpus));
            if let Some(pause) = event.pause.filter(|_| event.action.takes_pause()) {
                bytes.extend(encode_pause(pause));
            }
        }
    }
}

impl Event {
    /// How many records it takes.
    pub const fn records(&self) -> usize {
        if self.pause.is_some() && self.action.takes_pause() { 2 } else { 1 }
    }
}

fn decode_header([_version, shape, temperament, backends]: [u8; HEADER]) -> Header {
    let sizes = Sizes::ALL.get(usize::from(shape >> 2 & 7)).copied().unwrap_or_default();
    let known = Backends::from_bits_truncate(backends);
    Header {
        cpus: (shape & 3) + 1,
        temperament: Temperament::from_bits_truncate(temperament),
        sizes,
        backends: if known.is_empty() { Backends::all() } else { known },
        designs: Designs::default(),
    }
}

fn encode_header(header: Header) -> [u8; HEADER] {
    let cpus = header.cpus.clamp(1, MAX_CPUS) - 1;
    [VERSION, cpus | (header.sizes as u8) << 2, header.temperament.bits(), header.backends.bits()]
}

enum Record {
    Event(Event),
    Pause(Pause),
    Designs([u8; design_tag::CHOICES]),
}

fn decode_record([tag, lane, a, b]: [u8; STRIDE], cpus: u8) -> Record {
    let call = |verb: Verb| Action::Call { verb, irqs_off: lane >> 2 & 7 == 1 && verb.takes_irqs_off() };
    let (page, first, count) = (PageSlot::new(a), PageSlot::new(a & 15), (a >> 4 & 7) + 1);
    let buffer = BufferSlot::new(a & 15);
    let action = match Tag::of(tag) {
        Tag::AllocPage => call(Verb::AllocPage { page }),
        Tag::FreePage => call(Verb::FreePage { page }),
        Tag::Vmap => call(Verb::Vmap { first, count, area: AreaSlot::new(b) }),
        Tag::Vunmap => call(Verb::Vunmap { area: AreaSlot::new(a) }),
        Tag::MapRam => call(Verb::MapRam { first, count, ram: RamSlot::new(b) }),
        Tag::UnmapRam => call(Verb::UnmapRam { ram: RamSlot::new(a) }),
        Tag::DrainAliases => call(Verb::DrainAliases),
        Tag::Read => call(Verb::Read { place: decode_place(a, b) }),
        Tag::Write => call(Verb::Write { place: decode_place(a, b) }),
        Tag::MakeTable => call(Verb::MakeTable { page }),
        Tag::UnmakeTable => call(Verb::UnmakeTable { page }),
        tag @ (Tag::DmaAlloc | Tag::DmaAllocWide) => {
            let device = tag.device().unwrap_or(Device::Narrow);
            call(Verb::DmaAlloc { first, count, buffer: BufferSlot::new(b), device })
        }
        Tag::DmaFree => call(Verb::DmaFree { buffer }),
        Tag::DeviceRead => call(Verb::DeviceRead { buffer, page: a >> 5 }),
        Tag::DeviceWrite => call(Verb::DeviceWrite { buffer, page: a >> 5 }),
        Tag::SetPageFlag => call(Verb::SetPageFlag { page }),
        Tag::PinTree => call(Verb::PinTree { first, count, tree: TreeSlot::new(b) }),
        Tag::UnpinTree => call(Verb::UnpinTree { tree: TreeSlot::new(a) }),
        Tag::TrackAliases => call(Verb::TrackAliases),
        Tag::HvUpdate => call(Verb::Raw(RawCall::Update {
            table: first,
            index: a >> 4 & 3,
            entry: decode_entry(a >> 6, b),
        })),
        Tag::HvUpdateVa => call(Verb::Raw(RawCall::UpdateVa {
            table: first,
            index: a >> 4 & 3,
            entry: decode_entry(a >> 6, b),
        })),
        Tag::HvPin => call(Verb::Raw(RawCall::Pin { page: first, level: (a >> 4 & 3) + 1 })),
        Tag::HvUnpin => call(Verb::Raw(RawCall::Unpin { page })),
        Tag::HvExchange => call(Verb::Raw(RawCall::Exchange { page })),
        Tag::HvWrite => call(Verb::Raw(RawCall::Write { table: first, index: a >> 4 & 3 })),
        Tag::HvFlush => call(Verb::Raw(RawCall::Flush)),
        tag @ (Tag::Vmalloc | Tag::VmallocHuge) => {
            let (count, huge) = ((a & 7) + 1, tag == Tag::VmallocHuge);
            call(Verb::Owned(Owned::Vmalloc { count, area: AreaSlot::new(b), huge }))
        }
        tag @ (Tag::SetMemoryRo | Tag::SetMemoryRox | Tag::SetMemoryRw) => {
            let access = tag.access().unwrap_or(Access::ReadWrite);
            call(Verb::Owned(Owned::SetMemory { area: AreaSlot::new(a), access }))
        }
        tag @ (Tag::SetMemoryWc | Tag::SetMemoryWb) => {
            let memory_type = tag.memory_type().unwrap_or(MemoryType::WriteBack);
            call(Verb::Owned(Owned::SetMemoryType { area: AreaSlot::new(a), memory_type }))
        }
        Tag::Vfree => call(Verb::Owned(Owned::Vfree { area: AreaSlot::new(a) })),
        Tag::Exec => call(Verb::Owned(Owned::Exec { place: decode_place(a, b) })),
        Tag::ReadDirect => call(Verb::Owned(Owned::ReadDirect { place: decode_direct(a) })),
        Tag::WriteDirect => {
            call(Verb::Owned(Owned::WriteDirect { place: decode_direct(a), token: Token::ZERO }))
        }
        Tag::NewMm => call(Verb::Mm(MmCall::New { mm: MmSlot::new(a) })),
        Tag::SwitchMm => {
            let to = if a & 16 == 0 { Root::Mm(MmSlot::new(a)) } else { Root::Init };
            call(Verb::Mm(MmCall::Switch { to }))
        }
        Tag::DropMm => call(Verb::Mm(MmCall::Drop { mm: MmSlot::new(a) })),
        Tag::Continue => Action::Continue,
        Tag::Deliver => Action::Deliver { from: (a % (MAX_CPUS + 1)).checked_sub(1).map(|cpu| cpu % cpus) },
        Tag::Fill => Action::Fill { place: decode_place(a, b) },
        Tag::DrainStores => Action::DrainStores { count: a % MAX_STORES + 1 },
        Tag::GracePeriod => Action::GracePeriod,
        Tag::RunWork => Action::RunWork,
        Tag::Designs => return Record::Designs([lane, a, b]),
        Tag::Touch => Action::Touch,
        Tag::PauseAt => return Record::Pause(Pause::At(u16::from(lane).max(1))),
        Tag::PauseAtFar => return Record::Pause(Pause::At(u16::from_le_bytes([a, b]).max(1))),
        Tag::PauseBefore => {
            let kind = PointKind::ALL[usize::from(lane) % PointKind::ALL.len()];
            let kind = PointKind::from_tag(lane).unwrap_or(kind);
            let point = Point { kind, family: known_family(a) };
            return Record::Pause(Pause::Before { point, occurrence: b.max(1) });
        }
    };
    let cpu = if action.has_cpu() { (lane & 3) % cpus } else { 0 };
    Record::Event(Event { cpu, action, pause: None })
}

fn encode_event(event: &Event, cpus: u8) -> [u8; STRIDE] {
    let action = &event.action;
    let irqs_off = matches!(action, Action::Call { verb, irqs_off: true } if verb.takes_irqs_off());
    let cpu = if action.has_cpu() { event.cpu % cpus } else { 0 };
    let pages = |first: PageSlot, count: u8| first.number() | (count.clamp(1, MAX_PAGES as u8) - 1) << 4;
    let [a, b] = match *action {
        Action::Call { verb, .. } => match verb {
            Verb::AllocPage { page }
            | Verb::FreePage { page }
            | Verb::MakeTable { page }
            | Verb::UnmakeTable { page }
            | Verb::SetPageFlag { page }
            | Verb::Raw(RawCall::Unpin { page } | RawCall::Exchange { page }) => [page.number(), 0],
            Verb::PinTree { first, count, tree } => [pages(first, count), tree.number()],
            Verb::UnpinTree { tree } => [tree.number(), 0],
            Verb::Vmap { first, count, area } => [pages(first, count), area.number()],
            Verb::Vunmap { area } => [area.number(), 0],
            Verb::MapRam { first, count, ram } => [pages(first, count), ram.number()],
            Verb::UnmapRam { ram } => [ram.number(), 0],
            Verb::DrainAliases | Verb::TrackAliases | Verb::Raw(RawCall::Flush) => [0, 0],
            Verb::Read { place } | Verb::Write { place } => encode_place(place),
            Verb::DmaAlloc { first, count, buffer, .. } => [pages(first, count), buffer.number()],
            Verb::DmaFree { buffer } => [buffer.number(), 0],
            Verb::DeviceRead { buffer, page } | Verb::DeviceWrite { buffer, page } => {
                [buffer.number() | page << 5, 0]
            }
            Verb::Raw(
                RawCall::Update { table, index, entry } | RawCall::UpdateVa { table, index, entry },
            ) => {
                let (access, target) = encode_entry(entry);
                [table.number() | (index & 3) << 4 | access << 6, target]
            }
            Verb::Raw(RawCall::Pin { page, level }) => [page.number() | (level.clamp(1, 4) - 1) << 4, 0],
            Verb::Raw(RawCall::Write { table, index }) => [table.number() | (index & 3) << 4, 0],
            Verb::Owned(owned) => match owned {
                Owned::Vmalloc { count, area, .. } => [count.clamp(1, MAX_PAGES as u8) - 1, area.number()],
                Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } | Owned::Vfree { area } => {
                    [area.number(), 0]
                }
                Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
                    encode_place(place)
                }
            },
            Verb::Mm(MmCall::New { mm } | MmCall::Drop { mm }) => [mm.number(), 0],
            Verb::Mm(MmCall::Switch { to }) => [to.mm().map_or(16, MmSlot::number), 0],
        },
        Action::Deliver { from } => [from.map_or(0, |cpu| cpu % cpus + 1), 0],
        Action::Fill { place } => encode_place(place),
        Action::DrainStores { count } => [count.clamp(1, MAX_STORES) - 1, 0],
        Action::Continue | Action::GracePeriod | Action::RunWork | Action::Touch => [0, 0],
    };
    [action.tag().number(), cpu | u8::from(irqs_off) << 2, a, b]
}

fn encode_pause(pause: Pause) -> [u8; STRIDE] {
    match pause {
        Pause::At(number) => {
            let [low, high] = number.to_le_bytes();
            if high == 0 {
                [Tag::PauseAt.number(), low.max(1), 0, 0]
            } else {
                [Tag::PauseAtFar.number(), 0, low, high]
            }
        }
        Pause::Before { point, occurrence } => {
            [Tag::PauseBefore.number(), point.kind.tag(), point.family.0, occurrence.max(1)]
        }
    }
}

/// Two bits of what an entry allows, 0 for an empty one, and a byte of where it leads: a page slot, or bit 4.
fn decode_entry(access: u8, target: u8) -> RawEntry {
    match access.checked_sub(1) {
        None => RawEntry::Empty,
        Some(access) => RawEntry::Leads {
            to: if target & 16 == 0 { RawFrame::Page(PageSlot::new(target)) } else { RawFrame::Foreign },
            access: RawAccess::ALL[usize::from(access)],
        },
    }
}

fn encode_entry(entry: RawEntry) -> (u8, u8) {
    match entry {
        RawEntry::Empty => (0, 0),
        RawEntry::Leads { to, access } => {
            let target = if let RawFrame::Page(page) = to { page.number() } else { 16 };
            (access as u8 + 1, target)
        }
    }
}

/// A place: slot, page, and a bit for the kind of mapping in the first byte; in the second, whether it is a buffer.
fn decode_place(byte: u8, kind: u8) -> Place {
    let mapping = if kind & 7 == 1 {
        Mapping::Buffer(BufferSlot::new(byte & 15))
    } else if byte & 16 == 0 {
        Mapping::Area(AreaSlot::new(byte & 15))
    } else {
        Mapping::Ram(RamSlot::new(byte & 15))
    };
    Place { mapping, page: byte >> 5 }
}

/// The direct map is reached through areas alone.
fn decode_direct(byte: u8) -> Place {
    decode_place(byte & !16, 0)
}

fn encode_place(place: Place) -> [u8; 2] {
    let [slot, kind] = match place.mapping {
        Mapping::Area(slot) => [slot.number(), 0],
        Mapping::Ram(slot) => [slot.number() | 16, 0],
        Mapping::Buffer(slot) => [slot.number(), 1],
    };
    [slot | place.page << 5, kind]
}

/// The family of a tag if there is one, else any family: text can only name those that exist.
fn known_family(tag: u8) -> Family {
    let family = Family(tag);
    if family == Family::NONE || impls::family::name(family).is_some() {
        return family;
    }
    let all = impls::family::ALL;
    all[usize::from(tag) % all.len()].0
}
