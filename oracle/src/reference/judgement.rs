//! Which outcomes are legal: every answer of every operation is decided here, and nowhere else. It changes nothing but what
//! a read taught, and must never ask for more than the operation alone promises.

use crate::mappings::{Misfit, bit};
use crate::verdict::Kind;
use crate::vocabulary::astray::RawCall;
use crate::vocabulary::{Access, Call, Device, Mapping, MmCall, Operation, Outcome, Owned, Range, Token};

use super::{Flight, Reference};

/// An outcome judged: whether it was the only legal one, or what is wrong and what was expected.
type Judgement = Result<bool, (Kind, String)>;

/// A write or an instruction fetch, while its mapping may have allowed these accesses: legal if one of them says so.
/// Where a change of permissions overlaps it, it may go through or fault.
///
/// One that faults although it is allowed may do so once for each CPU, page and widening, if the next try succeeds:
/// kernels make that try themselves, so that what is judged here is the last one.
fn judge_permission(allowed: u8, operation: &Operation, faulted: bool) -> Judgement {
    let executes = matches!(operation, Operation::Owned(Owned::Exec { .. }));
    let permits = |access: &Access| if executes { access.executes() } else { access.writes() };
    let (may, must) = Access::ALL
        .iter()
        .filter(|access| allowed & bit(**access) != 0)
        .fold((false, true), |(may, must), access| (may || permits(access), must && permits(access)));
    match faulted {
        true if must => Err((Kind::Faulted, "that the mapping is there, and permits it".to_owned())),
        false if !may => Err((Kind::Permitted, "a fault".to_owned())),
        _ => Ok(may == must),
    }
}

/// Whether an operation leaves all memory but that of areas where it is.
pub(super) fn touches_no_memory(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Vmap { .. }
            | Operation::Vunmap { .. }
            | Operation::MapRam { .. }
            | Operation::UnmapRam { .. }
            | Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::DrainAliases
            | Operation::Owned(_)
    )
}

/// So many pages an area that owns its pages is sure of, where no other has any.
const SURE: u8 = 4;

impl Reference {
    /// Whether an operation must find room where nothing is in its way and nothing overlaps. A buffer is sure of
    /// one page, where everything may be waited for. One for a narrow device is so only where memory is untouched, since such a device
    /// reaches little. Nor is an area with many
    /// pages of its own sure of them, nor anything while address spaces take memory for their tables.
    pub(super) fn finds_room(&self, call: &Call) -> bool {
        if self.spaces.are_held() {
            return false;
        }
        match call.operation {
            Operation::Vmap { .. } => true,
            Operation::Owned(Owned::Vmalloc { count, .. }) => count <= SURE,
            Operation::MapRam { .. } => self.first_ram,
            Operation::DmaAlloc { pages, device, .. } => {
                let is_reached = device == Device::Wide || self.untouched;
                is_reached && !call.irqs_off && pages.len() == 1
            }
            _ => false,
        }
    }

    /// Whether no mapping keeps another one from being made: none stands, or all leave room for an area whose pages the caller
    /// brings. With interrupts off the kernel cannot purge what it freed lazily.
    fn nothing_is_in_the_way(&self, call: &Call) -> bool {
        let leaves_room = match call.operation {
            Operation::Vmap { pages, .. } if !call.irqs_off => {
                self.mappings.leave_room(pages.len() as u64, &self.room)
            }
            _ => false,
        };
        leaves_room || self.mappings.live().next().is_none()
    }

    pub(super) fn judge(&mut self, cpu: usize, flight: &Flight, call: &Call, outcome: Outcome) -> Judgement {
        let no = |kind, expected: &str| Err((kind, expected.to_owned()));
        let must_sleep = call.irqs_off && call.operation == Operation::DrainAliases;
        // Whether it has to drain is the kernel's affair; if it has, it cannot with interrupts off.
        let may_sleep = call.irqs_off
            && matches!(call.operation, Operation::MakeTable { .. } | Operation::PinTree { .. });
        match (call.operation, outcome) {
            // Whatever became of it: what must hold all the same is not to be seen in the answer.
            (Operation::Raw(_), Outcome::Done | Outcome::Refused)
            | (Operation::Raw(RawCall::Write { .. }), Outcome::Fault)
            | (Operation::Raw(RawCall::Exchange { .. }), Outcome::NoMemory)
                if !flight.void =>
            {
                Ok(false)
            }
            (_, Outcome::Refused) => no(Kind::Refused, "that nothing is refused"),
            (_, Outcome::Void) if flight.void => Ok(false),
            (_, _) if flight.void => no(Kind::Phantom, "void: what it needs was never obtained"),
            (_, Outcome::Void) => no(Kind::NotAttempted, "an attempt: it has all that it needs"),
            (_, Outcome::WouldSleep) if must_sleep => Ok(true),
            (_, _) if must_sleep => no(Kind::WaitedWithIrqsOff, "would-sleep"),
            (Operation::DmaAlloc { .. }, Outcome::WouldSleep) if call.irqs_off => Ok(false),
            (_, Outcome::WouldSleep) if may_sleep => Ok(false),
            (_, Outcome::WouldSleep) => no(Kind::WouldSleep, "that it sleeps if it must"),
            (Operation::Vmap { pages, area }, Outcome::Mapped(range)) => {
                self.judge_range(Mapping::Area(area), range, pages.len())
            }
            (Operation::MapRam { pages, ram }, Outcome::Mapped(range)) => {
                self.judge_range(Mapping::Ram(ram), range, pages.len())
            }
            (Operation::Owned(Owned::Vmalloc { count, area, .. }), Outcome::Mapped(range)) => {
                self.judge_range(Mapping::Area(area), range, usize::from(count))
            }
            (Operation::DmaAlloc { pages, buffer, .. }, Outcome::Buffer(made)) => {
                self.judge_range(Mapping::Buffer(buffer), made.range, pages.len())
            }
            (_, Outcome::NoMemory)
                if !flight.overlapped && flight.finds_room && self.nothing_is_in_the_way(call) =>
            {
                no(Kind::NoRoom, "a range: nothing that is mapped is in its way")
            }
            (
                Operation::Read { .. }
                | Operation::DeviceRead { .. }
                | Operation::Owned(Owned::ReadDirect { .. }),
                Outcome::Value(token),
            ) => self.judge_read(cpu, token),
            (
                Operation::Write { .. } | Operation::Owned(Owned::WriteDirect { .. } | Owned::Exec { .. }),
                Outcome::Done | Outcome::Fault,
            ) => judge_permission(flight.allowed, &call.operation, outcome == Outcome::Fault),
            (Operation::Read { .. } | Operation::Owned(Owned::ReadDirect { .. }), Outcome::Fault) => {
                no(Kind::Faulted, "that the mapping is there")
            }
            (
                Operation::FreePage { .. }
                | Operation::Vunmap { .. }
                | Operation::UnmapRam { .. }
                | Operation::DrainAliases
                | Operation::UnmakeTable { .. }
                | Operation::DmaFree { .. }
                | Operation::DeviceWrite { .. }
                | Operation::SetPageFlag { .. }
                | Operation::UnpinTree { .. }
                | Operation::TrackAliases
                | Operation::Owned(Owned::SetMemory { .. } | Owned::SetMemoryType { .. } | Owned::Vfree { .. })
                | Operation::Mm(MmCall::Switch { .. } | MmCall::Drop { .. }),
                Outcome::Done,
            ) => Ok(true),
            (Operation::PinTree { .. }, Outcome::Done) => Ok(!may_sleep),
            (
                Operation::AllocPage { .. } | Operation::MakeTable { .. } | Operation::Mm(MmCall::New { .. }),
                Outcome::Done,
            )
            | (
                Operation::AllocPage { .. }
                | Operation::MakeTable { .. }
                | Operation::Vmap { .. }
                | Operation::MapRam { .. }
                | Operation::DmaAlloc { .. }
                | Operation::Owned(Owned::Vmalloc { .. })
                | Operation::Mm(MmCall::New { .. }),
                Outcome::NoMemory,
            ) => Ok(false),
            (_, Outcome::NoMemory) => no(Kind::NoMemory, "that it needs no memory"),
            (
                _,
                Outcome::Done | Outcome::Mapped(_) | Outcome::Buffer(_) | Outcome::Value(_) | Outcome::Fault,
            ) => no(Kind::WrongForm, "an answer to what was asked"),
        }
    }

    fn judge_range(&self, made: Mapping, range: Range, pages: usize) -> Judgement {
        match self.mappings.fit(made, range, pages) {
            Ok(()) => Ok(false),
            Err(Misfit::Length) => Err((Kind::WrongLength, format!("{pages} pages"))),
            Err(Misfit::Place) => Err((Kind::Misplaced, "an aligned and canonical range".to_owned())),
            Err(Misfit::Overlaps(other, its)) => {
                Err((Kind::Overlap, format!("a range apart from {other}, which lies at {its}")))
            }
            Err(Misfit::Unguarded(other, its)) => {
                Err((Kind::Unguarded, format!("a page between it and {other}, which lies at {its}")))
            }
        }
    }

    fn judge_read(&mut self, cpu: usize, found: Token) -> Judgement {
        let (readable, forced) = self.contents.readable(cpu);
        if !readable.contains(found) {
            return Err((Kind::NeverPossible, format!("{readable}")));
        }
        self.contents.learn(cpu, found);
        Ok(forced)
    }
}
