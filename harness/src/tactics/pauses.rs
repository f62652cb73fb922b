//! Draws pauses, and says what is worth telling around one: where an operation is in the way of others, and who would come to wait.
//!
//! It knows the families of variables and which events get to them; it must not know any bug.

use machine::{Family, Pause, Point, PointKind};

use crate::story::Tag;
use crate::story::dice::Dice;

use super::of;

/// A pause for an event of this kind: mostly by number, near the beginning more often than far from it.
pub(crate) fn draw(dice: &mut Dice, tag: Tag, mean: usize, by_name: usize) -> Pause {
    if !dice.percent(by_name) {
        return Pause::At(dice.geometric(mean, 160) as u16);
    }
    let held_up = of(tag).held_up;
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
pub(crate) fn holds_lock(pause: Option<Pause>) -> bool {
    matches!(pause, Some(Pause::Before { point: Point { kind: PointKind::Store, .. }, .. }))
}

/// Whether a pause leaves interrupts on their way: the CPU has just sent some, or waits for the answers.
pub(crate) fn holds_interrupts(pause: Option<Pause>) -> bool {
    matches!(pause, Some(Pause::Before { point: Point { kind: PointKind::Wait | PointKind::Ipi, .. }, .. }))
}

/// The lock that a CPU holds which is paused here: within a critical section, or while it waits for answers and holds what it
/// took for the flush.
pub(crate) const fn lock_held(pause: Option<Pause>) -> Option<Family> {
    match pause {
        Some(Pause::Before { point: Point { kind: PointKind::Store, family }, .. }) => Some(family),
        Some(Pause::Before { point: Point { kind: PointKind::Wait, family }, .. }) => Some(held_by(family)),
        _ => None,
    }
}

/// A pause where an operation waits for what the operation paused here holds.
pub(crate) fn wait_there(pause: Option<Pause>) -> Option<Pause> {
    match pause {
        Some(Pause::Before { point, .. }) if point.kind == PointKind::Wait => {
            Some(wait_for(held_by(point.family)))
        }
        Some(Pause::Before { point, .. }) => Some(wait_for(point.family)),
        _ => None,
    }
}

/// The lock that a CPU holds while it waits for answers of this family.
const fn held_by(answers: Family) -> Family {
    match answers {
        impls::family::HYPERVISOR_ACK => impls::family::FLUSH_LOCK,
        impls::family::CALL_ACK => impls::family::PURGE_LOCK,
        impls::family::USER_ACK => impls::family::MMAP_LOCK,
        _ => Family::NONE,
    }
}

/// A pause within the handler whose answer the operation paused here waits for.
pub(crate) fn in_handler(dice: &mut Dice, pause: Option<Pause>) -> Option<Pause> {
    use PointKind::{Load, Store};
    use impls::family::{CALL_ACK, FLUSH_INFO, HYPERVISOR_ACK, HYPERVISOR_FLUSH};
    use impls::family::{LEAVE_MM, LOADED_MM, USER_ACK, USER_FLUSH};
    let Some(Pause::Before { point: Point { family, .. }, .. }) = pause else { return None };
    let (kind, family) = match family {
        HYPERVISOR_ACK => {
            dice.pick(&[(Load, HYPERVISOR_FLUSH), (Load, HYPERVISOR_ACK), (Store, HYPERVISOR_ACK)])
        }
        LOADED_MM => dice.pick(&[(Load, LEAVE_MM), (Load, LEAVE_MM), (Load, LOADED_MM), (Store, LOADED_MM)]),
        USER_ACK => dice.pick(&[
            (Load, USER_FLUSH),
            (Load, USER_ACK),
            (Store, USER_ACK),
            (PointKind::Invlpg, Family::NONE),
            (PointKind::Cr3, Family::NONE),
        ]),
        _ => dice.pick(&[(Load, FLUSH_INFO), (Load, CALL_ACK), (Store, CALL_ACK)]),
    };
    Some(Pause::Before { point: Point { kind, family }, occurrence: 1 })
}

/// A pause at the second reference of a frame that is touched: when one was taken, and nothing was done on the strength of it.
pub(crate) const BEFORE_REFERENCE: Pause = Pause::Before {
    point: Point { kind: PointKind::Locked, family: impls::family::COUNT_INFO },
    occurrence: 2,
};

/// A pause while a host gives a CPU back, before it says so.
pub(crate) const GIVING_BACK: Pause = Pause::Before {
    point: Point { kind: PointKind::Store, family: impls::family::STEAL_TIME },
    occurrence: 1,
};

/// Where frames that are exchanged belong to neither side.
pub(crate) const EXCHANGING: (PointKind, Family) = (PointKind::Locked, impls::family::MAP_LOCK);

/// A pause there.
pub(crate) fn half_exchanged(dice: &mut Dice) -> Pause {
    use impls::family::{MAP_LOCK, XEN_PMD};
    let family = dice.pick(&[MAP_LOCK, XEN_PMD]);
    let point = Point { kind: PointKind::Locked, family };
    Pause::Before { point, occurrence: dice.geometric(2, 4) as u8 }
}

/// A pause while another CPU is asked to leave an address space.
pub(crate) const WHILE_ONE_LEAVES: Pause = wait_for(impls::family::LOADED_MM);

/// A pause before the hypervisor's TLB clock ticks, on the CPU that flushes.
pub(crate) const BEFORE_TICK: Pause = Pause::Before {
    point: Point { kind: PointKind::Locked, family: impls::family::TLB_CLOCK },
    occurrence: 1,
};

/// A pause before a page is got from the allocator.
pub(crate) const BEFORE_MEMORY: Pause = Pause::Before {
    point: Point { kind: PointKind::Locked, family: impls::family::ZONE_LOCK },
    occurrence: 1,
};

/// A pause before an entry is changed, with all that was done for it before.
pub(crate) const BEFORE_ENTRY: Pause =
    Pause::Before { point: Point { kind: PointKind::Locked, family: Family::PTE }, occurrence: 1 };

/// A pause at finding this lock taken.
pub(crate) const fn wait_for(family: Family) -> Pause {
    Pause::Before { point: Point { kind: PointKind::Wait, family }, occurrence: 1 }
}
