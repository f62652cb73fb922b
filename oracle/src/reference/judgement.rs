//! Which outcomes are legal: what is true of every operation, and what takes more than the answer alone to judge. This file
//! changes nothing but what a read taught.

use crate::room;
use crate::verdict::Kind;
use crate::vocabulary::{Call, Mapping, Named, Operation, Outcome, Sort};

use super::answers::Answered;
use super::{Flight, Reference};
use crate::things::Thing;

/// An outcome judged: whether it was the only legal one, or what is wrong and what was expected.
pub(super) type Judgement = Result<bool, (Kind, String)>;

/// An area that owns its pages must find this many of them, while nothing else is mapped and no address space is held.
const SURE: u8 = 4;

/// What the past says about which operations must succeed.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    /// No caller allocated, freed or converted a page: the memory that devices reach is as it was at boot.
    untouched: bool,
    /// No caller asked for `map-ram`: unmapped blocks may lie so that a new block finds no room.
    first_ram: bool,
}

impl Default for History {
    fn default() -> Self {
        Self { untouched: true, first_ram: true }
    }
}

impl History {
    pub(super) fn take_note(&mut self, operation: &Operation) {
        self.untouched &= leaves_memory(operation);
        self.first_ram &= !matches!(operation, Operation::MapRam { .. });
    }
}

/// Whether an operation leaves all memory where it is, but for that of areas.
fn leaves_memory(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Vmap { .. }
            | Operation::Vunmap { .. }
            | Operation::MapRam { .. }
            | Operation::UnmapRam { .. }
            | Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::DrainAliases {}
            | Operation::Vmalloc { .. }
            | Operation::VmallocHuge { .. }
            | Operation::SetMemoryRo { .. }
            | Operation::SetMemoryRox { .. }
            | Operation::SetMemoryRw { .. }
            | Operation::SetMemoryWc { .. }
            | Operation::SetMemoryWb { .. }
            | Operation::Vfree { .. }
            | Operation::Exec { .. }
            | Operation::ReadDirect { .. }
            | Operation::WriteDirect { .. }
    )
}

/// Whether a caller with interrupts off may be told that the operation would sleep: the kernel may have to drain first, and
/// may decide for itself whether it has to.
fn may_sleep(call: &Call) -> bool {
    call.irqs_off
        && matches!(
            call.operation,
            Operation::MakeTable { .. }
                | Operation::PinTree { .. }
                | Operation::DmaAlloc { .. }
                | Operation::DmaAllocWide { .. }
        )
}

impl Reference {
    /// Whether an operation must find room where nothing is in its way and nothing overlaps. What narrow devices reach is little:
    /// a buffer for one is sure of one page, where memory is untouched and everything may be waited for. Nor is an area with many
    /// pages of its own sure of them, nor anything while address spaces and objects take memory.
    pub(super) fn finds_room(&self, call: &Call) -> bool {
        if self.things.are_held(Sort::Mm) || self.things.are_held(Sort::Object) {
            return false;
        }
        match call.operation {
            Operation::Vmap { .. } => true,
            Operation::Vmalloc { count, .. } | Operation::VmallocHuge { count, .. } => count.0 <= SURE,
            Operation::MapRam { .. } => self.history.first_ram,
            Operation::DmaAlloc { pages, .. } => self.history.untouched && !call.irqs_off && pages.len() == 1,
            Operation::DmaAllocWide { pages, .. } => !call.irqs_off && pages.len() == 1,
            _ => false,
        }
    }

    pub(super) fn judge(&mut self, cpu: usize, flight: &Flight, call: &Call, outcome: Outcome) -> Judgement {
        let no = |kind, expected: &str| Err((kind, expected.to_owned()));
        let must_sleep = call.irqs_off && call.operation == Operation::DrainAliases {};
        if flight.void {
            return match outcome {
                Outcome::Void => Ok(false),
                Outcome::Refused => no(Kind::Refused, "that nothing is refused"),
                _ => no(Kind::Phantom, "void: what it needs was never obtained"),
            };
        }
        match outcome {
            Outcome::WouldSleep if must_sleep => return Ok(true),
            Outcome::WouldSleep if may_sleep(call) => return Ok(false),
            Outcome::NoMemory
                if !flight.overlapped && flight.finds_room && self.nothing_is_in_the_way(call) =>
            {
                return no(Kind::NoRoom, "a range: nothing that is mapped is in its way");
            }
            _ => {}
        }
        if !must_sleep && let Some(judgement) = self.answer(Answered { cpu, flight, call, outcome }) {
            return judgement;
        }
        match outcome {
            Outcome::Refused => no(Kind::Refused, "that nothing is refused"),
            Outcome::Void => no(Kind::NotAttempted, "an attempt: it has all that it needs"),
            _ if must_sleep => no(Kind::WaitedWithIrqsOff, "would-sleep"),
            Outcome::WouldSleep => no(Kind::WouldSleep, "that it sleeps if it must"),
            Outcome::NoMemory => no(Kind::NoMemory, "that it needs no memory"),
            Outcome::Done
            | Outcome::Mapped(_)
            | Outcome::Buffer(_)
            | Outcome::Pinned(_)
            | Outcome::Value(_)
            | Outcome::Fault => no(Kind::WrongForm, "an answer to what was asked"),
        }
    }

    /// Whether no mapping keeps another one from being made: none stands, or all leave room for an area whose pages the caller
    /// brings. With interrupts off the kernel cannot purge what it freed lazily.
    fn nothing_is_in_the_way(&self, call: &Call) -> bool {
        let standing = || self.mappings.live(&self.things).map(|(mapping, range, _)| (mapping, range));
        let leaves_room = match call.operation {
            Operation::Vmap { pages, .. } if !call.irqs_off => {
                room::is_left(pages.len() as u64, &self.room, standing())
            }
            _ => false,
        };
        leaves_room || standing().next().is_none()
    }

    pub(super) fn thing(&self, mapping: Mapping) -> &Thing {
        let Named::Thing(sort, slot) = mapping.named() else { unreachable!("a mapping is a thing") };
        self.things.get(sort, slot)
    }
}
