//! The bytes of a story: a header of four bytes, then records of four.
//!
//! ```text
//! header   version | cpus - 1 (bits 0-1), sizes (bits 2-4) | temperament | backends
//! designs  tag     | design | design | design          (of the header, wherever it stands; 0 is none)
//! event    tag     | cpu (bits 0-1), irqs-off (bits 2-4: 1 is off) | operand | operand
//! operands tag     | operand | operand | operand   (more of those of the event before, if it has so many)
//! pause    tag     | number, or kind of point  | family | occurrence
//! ```
//!
//! Decoding never fails below the cap: a value without meaning stands for one that has it, so that a fuzzer wastes
//! nothing. Encoding is canonical: every value that it writes has a meaning of its own, which must never change.

use core::fmt;

use impls::{Designs, Sizes};
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::{Call, Place, UserPage};

use crate::combinations;

use super::operand::{Bits, OPERAND_BYTES, Operand};
use super::{Action, Backends, Event, Header, MAX_CPUS, MAX_STORES, Story, Tag, VERSION, codec, design_tag};

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
        let mut before = None;
        for record in records.as_chunks::<STRIDE>().0 {
            match decode_record(*record, self.header.cpus) {
                Record::Event(event) => {
                    self.events.push(event);
                    before = Some(*record);
                }
                Record::Operands(more) => {
                    if let (Some(last), Some(record)) = (self.events.last_mut(), before) {
                        last.action = with_operands(record, more, self.header.cpus);
                    }
                }
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
            let (record, more) = encode_event(event, self.header.cpus);
            bytes.extend(record);
            if let Some([c, d, e]) = more {
                bytes.extend([Tag::Operands.number(), c, d, e]);
            }
            if let Some(pause) = event.pause.filter(|_| event.action.takes_pause()) {
                bytes.extend(encode_pause(pause));
            }
        }
    }
}

impl Event {
    /// How many records it takes.
    pub fn records(&self) -> usize {
        let pause = self.pause.is_some() && self.action.takes_pause();
        1 + usize::from(pause) + usize::from(self.action.operands().len() > IN_RECORD)
    }
}

/// So many operand bytes are in the record of an event.
const IN_RECORD: usize = 2;

impl Action {
    /// Its operands.
    fn operands(self) -> Bits {
        let number = |number: u8| Bits::new([number, 0, 0, 0, 0]);
        match self {
            Self::Call(call) => codec::encode(&call.operation),
            Self::Deliver { from } => number(from.map_or(0, |cpu| cpu + 1)),
            Self::Fill { place } => {
                let mut bits = Bits::default();
                place.encode(&mut bits);
                bits
            }
            Self::FillUser { at } => {
                let mut bits = Bits::default();
                at.encode(&mut bits);
                bits
            }
            Self::DrainStores { count } => number(count.clamp(1, MAX_STORES) - 1),
            Self::Continue
            | Self::GracePeriod
            | Self::RunWork
            | Self::HostPreempt
            | Self::HostEnter
            | Self::ApplyBroadcast
            | Self::Touch => Bits::default(),
        }
    }
}

fn decode_header([_version, shape, temperament, backends]: [u8; HEADER]) -> Header {
    let sizes = Sizes::ALL.get(usize::from(shape >> 2 & 7)).copied().unwrap_or_default();
    let known = Backends::from_bits_truncate(backends);
    Header {
        cpus: (shape & 3) + 1,
        temperament: Temperament::from_bits_truncate(temperament),
        sizes,
        backends: if known.is_empty() { Backends::NATIVE_AND_XEN } else { known },
        designs: Designs::default(),
    }
}

fn encode_header(header: Header) -> [u8; HEADER] {
    let cpus = header.cpus.clamp(1, MAX_CPUS) - 1;
    [VERSION, cpus | (header.sizes as u8) << 2, header.temperament.bits(), header.backends.bits()]
}

enum Record {
    Event(Event),
    Operands([u8; OPERAND_BYTES - IN_RECORD]),
    Pause(Pause),
    Designs([u8; design_tag::CHOICES]),
}

fn decode_record([tag, lane, a, b]: [u8; STRIDE], cpus: u8) -> Record {
    let tag = Tag::of(tag);
    match tag {
        Tag::Designs => Record::Designs([lane, a, b]),
        Tag::Operands => Record::Operands([lane, a, b]),
        Tag::PauseAt => Record::Pause(Pause::At(u16::from(lane).max(1))),
        Tag::PauseAtFar => Record::Pause(Pause::At(u16::from_le_bytes([a, b]).max(1))),
        Tag::PauseBefore => {
            let kind = PointKind::ALL[usize::from(lane) % PointKind::ALL.len()];
            let kind = PointKind::from_tag(lane).unwrap_or(kind);
            let point = Point { kind, family: known_family(a) };
            Record::Pause(Pause::Before { point, occurrence: b.max(1) })
        }
        _ => {
            let action = decode_action(tag, lane, [a, b, 0, 0, 0], cpus);
            let cpu = if action.has_cpu() { (lane & 3) % cpus } else { 0 };
            Record::Event(Event { cpu, action, pause: None })
        }
    }
}

/// The action of an event with more operand bytes than its record has.
fn with_operands([tag, lane, first @ ..]: [u8; STRIDE], more: [u8; 3], cpus: u8) -> Action {
    let mut operands = [0; OPERAND_BYTES];
    operands[..IN_RECORD].copy_from_slice(&first);
    operands[IN_RECORD..].copy_from_slice(&more);
    decode_action(Tag::of(tag), lane, operands, cpus)
}

fn decode_action(tag: Tag, lane: u8, bytes: [u8; OPERAND_BYTES], cpus: u8) -> Action {
    let mut bits = Bits::new(bytes);
    if let Some(operation) = codec::decode(tag, &mut bits) {
        let irqs_off = lane >> 2 & 7 == 1 && operation.row().irqs_off;
        return Action::Call(Call { operation, irqs_off });
    }
    let [a, ..] = bytes;
    match tag {
        Tag::Continue => Action::Continue,
        Tag::Deliver => Action::Deliver { from: (a % (MAX_CPUS + 1)).checked_sub(1).map(|cpu| cpu % cpus) },
        Tag::Fill => Action::Fill { place: Place::decode(&mut bits) },
        Tag::FillUser => Action::FillUser { at: UserPage::decode(&mut bits) },
        Tag::DrainStores => Action::DrainStores { count: a % MAX_STORES + 1 },
        Tag::GracePeriod => Action::GracePeriod,
        Tag::RunWork => Action::RunWork,
        Tag::Touch => Action::Touch,
        Tag::HostPreempt => Action::HostPreempt,
        Tag::HostEnter => Action::HostEnter,
        Tag::ApplyBroadcast => Action::ApplyBroadcast,
        _ => unreachable!("a record of its own: {tag:?}"),
    }
}

/// The record of an event, and the operand bytes that it has no room for, if there are any.
fn encode_event(event: &Event, cpus: u8) -> ([u8; STRIDE], Option<[u8; OPERAND_BYTES - IN_RECORD]>) {
    let action = match event.action {
        Action::Deliver { from } => Action::Deliver { from: from.map(|cpu| cpu % cpus) },
        action => action,
    };
    let irqs_off = matches!(action, Action::Call(call) if call.irqs_off && call.operation.row().irqs_off);
    let cpu = if action.has_cpu() { event.cpu % cpus } else { 0 };
    let operands = action.operands();
    let [a, b, more @ ..] = operands.bytes;
    let record = [action.tag().number(), cpu | u8::from(irqs_off) << 2, a, b];
    (record, (operands.len() > IN_RECORD).then_some(more))
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

/// The family of a tag if there is one, else any family: text can only name those that exist.
fn known_family(tag: u8) -> Family {
    let family = Family(tag);
    if family == Family::NONE || impls::family::name(family).is_some() {
        return family;
    }
    let all = impls::family::ALL;
    all[usize::from(tag) % all.len()].0
}
