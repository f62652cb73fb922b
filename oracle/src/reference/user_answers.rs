//! Which answers are legal for accesses in user mode and through pins. It asks what the page may have led to at some moment of
//! the operation; a function must never ask for more than the operation alone promises.

use crate::user_memory::State;
use crate::verdict::Kind;
use crate::vocabulary::{Operation, Outcome, PinnedPage, UserAccess};

use super::Reference;
use super::answers::Answered;
use super::judgement::Judgement;

/// User code reads a word, if the page is mapped. The kernel may have no memory for it. With interrupts off it may find the page not
/// there yet.
pub(super) fn user_value(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    let (states, calm) = reference.user.met(answered.cpu, 0);
    let may = states.iter().any(|state| state.reads().is_some());
    let must = states.iter().all(|state| state.reads().is_some());
    match answered.outcome {
        Outcome::NoMemory => Some(Ok(false)),
        Outcome::Fault if answered.call.irqs_off => Some(Ok(false)),
        Outcome::Fault => Some(faulted(must, calm)),
        Outcome::Value(_) if !may => Some(went_through()),
        Outcome::Value(found) => {
            Some(reference.judge_value(answered.cpu, found).map(|forced| forced && calm))
        }
        _ => None,
    }
}

/// User code writes a word, if the page is mapped to be written; the same goes for it.
pub(super) fn user_written(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    let (states, calm) = reference.user.met(answered.cpu, 0);
    let may = states.iter().any(|state| state.writes().is_some());
    let must = states.iter().all(|state| state.writes().is_some());
    match answered.outcome {
        Outcome::NoMemory => Some(Ok(false)),
        Outcome::Fault if answered.call.irqs_off => Some(Ok(false)),
        Outcome::Fault => Some(faulted(must, calm)),
        Outcome::Done if !may => Some(went_through()),
        Outcome::Done => Some(Ok(calm)),
        _ => None,
    }
}

/// Pages move, unless the range overlaps where it moves to. The kernel may have no memory for tables.
pub(super) fn moved(_: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    let Operation::Mremap { at, to } = answered.call.operation else { return None };
    let refused = at.moved(to).is_none();
    match answered.outcome {
        Outcome::Fault if refused => Some(Ok(true)),
        Outcome::Done | Outcome::NoMemory if !refused => Some(Ok(false)),
        _ => None,
    }
}

fn faulted(must: bool, calm: bool) -> Judgement {
    if must {
        return Err((Kind::Faulted, "that the page is mapped, and permits it".to_owned()));
    }
    Ok(calm)
}

fn went_through() -> Judgement {
    Err((Kind::NotMapped, "a fault".to_owned()))
}

/// The kernel pins pages that are mapped, from the first on. It may stop at any of them.
pub(super) fn pinned_pages(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    let (at, access) = match answered.call.operation {
        Operation::GupFast { at, access, .. } | Operation::Gup { at, access, .. } => (at, Some(access)),
        Operation::GupForced { at, .. } => (at, None),
        _ => return None,
    };
    let Outcome::Pinned(pinned) = answered.outcome else { return None };
    let asked = at.pages().len() as u8;
    if pinned.count > asked {
        return Some(Err((Kind::WrongLength, format!("{asked} pages at most"))));
    }
    let allows = |state: &State| match access {
        Some(UserAccess::Writable) => state.writes().is_some(),
        Some(UserAccess::Readable) => state.reads().is_some(),
        None => state.forces().is_some(),
    };
    let allowed =
        (0..pinned.count).take_while(|page| reference.user.met(answered.cpu, *page).0.iter().any(allows));
    let allowed = allowed.count();
    if allowed < usize::from(pinned.count) {
        let access = access.map_or("its own or writable", UserAccess::name);
        return Some(Err((Kind::PinnedUnmapped, format!("{allowed} pages at most that are {access} there"))));
    }
    Some(Ok(false))
}

/// A caller reads the word of a page, if this backend pinned it.
pub(super) fn pin_value(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    let Operation::PinRead { at } = answered.call.operation else { return None };
    let certain = reference.user.pinned_page(at).1;
    match answered.outcome {
        Outcome::Value(found) if reference.is_pinned(at) => {
            Some(match reference.judge_value(answered.cpu, found) {
                Err((_, expected)) => Err((Kind::PinStrayed, expected)),
                Ok(forced) => Ok(forced && certain),
            })
        }
        Outcome::Value(_) => Some(not_pinned()),
        Outcome::Fault => Some(pin_faulted(reference.is_pinned(at), at)),
        _ => None,
    }
}

/// A caller writes the word of a page, if this backend pinned it to be written.
pub(super) fn pin_written(reference: &mut Reference, answered: Answered<'_>) -> Option<Judgement> {
    let Operation::PinWrite { at, .. } = answered.call.operation else { return None };
    let for_writes = reference.user.pinned_for(at.pins).writes();
    match answered.outcome {
        Outcome::Done if !for_writes => {
            Some(Err((Kind::Permitted, "a fault: it is pinned to be read".to_owned())))
        }
        Outcome::Done if reference.is_pinned(at) => Some(Ok(reference.user.pinned_page(at).1)),
        Outcome::Done => Some(not_pinned()),
        Outcome::Fault if !for_writes => Some(Ok(true)),
        Outcome::Fault => Some(pin_faulted(reference.is_pinned(at), at)),
        _ => None,
    }
}

/// How many pages a kernel pins is its own choice.
fn pin_faulted(is_pinned: bool, at: PinnedPage) -> Judgement {
    if is_pinned {
        return Err((Kind::Faulted, format!("that {at} is pinned")));
    }
    Ok(false)
}

fn not_pinned() -> Judgement {
    Err((Kind::Phantom, "a fault: the page was not pinned here".to_owned()))
}
