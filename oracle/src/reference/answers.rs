//! Which answers are legal while no other operation overlaps. There is a function for each way to answer; the row of an
//! operation names its function. A function must never ask for more than the operation alone promises.
//!
//! A function returns `None` if the answer does not fit the operation at all. Otherwise it says whether the answer was the
//! only legal one, or what is wrong with it. `judgement` holds what is true of all operations.

use crate::mappings::{Misfit, bit};
use crate::verdict::Kind;
use crate::vocabulary::{Access, Call, Mapping, Outcome, Range, Token};

use super::effects::made;
use super::judgement::Judgement;
use super::user_answers::{moved, pin_value, pin_written, pinned_pages, user_value, user_written};
use super::{Flight, Reference};

/// An operation that ended, and what it answered.
#[derive(Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) cpu: usize,
    pub(super) flight: &'a Flight,
    pub(super) call: &'a Call,
    pub(super) outcome: Outcome,
}

type Answer = fn(&mut Reference, Answered<'_>) -> Option<Judgement>;

macro_rules! answers {
    ($($(#[$doc:meta])+ $tag:literal $word:literal $name:ident { $($operand:tt)* } $($flag:ident)* => $answers:ident;)+) => {
        /// The function of each operation, in the order of the rows.
        const ANSWERS: &[Answer] = &[$($answers),+];
    };
}

crate::for_each_operation!(answers);

impl Reference {
    /// What the row of the operation says of the answer; `None` if the answer does not fit the operation at all.
    pub(super) fn answer(&mut self, answered: Answered<'_>) -> Option<Judgement> {
        ANSWERS[answered.call.operation.index()](self, answered)
    }

    fn judge_range(&self, made: Mapping, range: Range) -> Judgement {
        let thing = self.thing(made);
        let pages = thing.pages().len() + usize::from(thing.own_pages());
        match self.mappings.fit(&self.things, made, range, pages) {
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

    pub(super) fn judge_value(&mut self, cpu: usize, found: Token) -> Judgement {
        let (readable, forced) = self.contents.readable(cpu);
        if !readable.contains(found) {
            return Err((Kind::NeverPossible, format!("{readable}")));
        }
        self.contents.learn(cpu, found);
        Ok(forced)
    }
}

/// The kernel does what the caller asks.
fn done(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    (answered.outcome == Outcome::Done).then_some(Ok(true))
}

/// The kernel makes something for which it needs memory.
fn done_or_no_memory(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    matches!(answered.outcome, Outcome::Done | Outcome::NoMemory).then_some(Ok(false))
}

/// The kernel makes tables of pages that the caller brings: it needs no memory, but with interrupts off it may have to
/// sleep.
fn pinned(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    (answered.outcome == Outcome::Done).then_some(Ok(!answered.call.irqs_off))
}

/// The kernel makes a mapping and says where it lies.
fn mapped(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    match answered.outcome {
        Outcome::Mapped(range) => Some(reference.judge_range(made(&answered.call.operation)?, range)),
        Outcome::NoMemory => Some(Ok(false)),
        _ => None,
    }
}

/// The kernel makes a buffer and says where CPUs and the device see it.
fn buffer(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    match answered.outcome {
        Outcome::Buffer(told) => Some(reference.judge_range(made(&answered.call.operation)?, told.range)),
        Outcome::NoMemory => Some(Ok(false)),
        _ => None,
    }
}

/// The CPU or the device reads a word; every mapping permits that.
fn value(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    match answered.outcome {
        Outcome::Value(token) => Some(reference.judge_value(answered.cpu, token)),
        // A device has no page tables to fault in: it reaches by bus address what its driver was given.
        Outcome::Fault if !answered.call.operation.is_of_a_device() => {
            Some(Err((Kind::Faulted, "that the mapping is there".to_owned())))
        }
        _ => None,
    }
}

/// The CPU writes, if the permissions of the mapping allow it.
fn written(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    permitted(answered, Access::writes)
}

/// The CPU fetches an instruction, if the permissions of the mapping allow it.
fn fetched(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    permitted(answered, Access::executes)
}

/// Judges an access whose mapping may have had these permissions meanwhile: it may go through if one of them allows it.
/// Where a change of permissions overlaps the access, it may go through or fault.
///
/// An access that is allowed may still fault once for each CPU, page and widening, if the next try succeeds. The kernel
/// makes that next try itself, so this function judges the last try.
fn permitted(answered: Answered<'_>, permits: impl Fn(Access) -> bool) -> Option<Judgement> {
    let had = |access: &Access| answered.flight.allowed & bit(*access) != 0;
    let (may, must) = Access::ALL
        .into_iter()
        .filter(had)
        .fold((false, true), |(may, must), access| (may || permits(access), must && permits(access)));
    match answered.outcome {
        Outcome::Fault if must => {
            Some(Err((Kind::Faulted, "that the mapping is there, and permits it".to_owned())))
        }
        Outcome::Done if !may => Some(Err((Kind::Permitted, "a fault".to_owned()))),
        Outcome::Fault | Outcome::Done => Some(Ok(may == must)),
        _ => None,
    }
}

/// A hypercall behind the kernel's back. The hypervisor may obey or refuse; the checks see what must hold either way.
fn astray(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    matches!(answered.outcome, Outcome::Done | Outcome::Refused).then_some(Ok(false))
}

/// The same, of an access, which may fault.
fn astray_access(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    if answered.outcome == Outcome::Fault { Some(Ok(false)) } else { astray(reference, answered) }
}

/// The same, of an exchange, for which the hypervisor may have no frame.
fn astray_exchange(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    if answered.outcome == Outcome::NoMemory { Some(Ok(false)) } else { astray(reference, answered) }
}
