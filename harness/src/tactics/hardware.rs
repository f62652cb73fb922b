//! What hardware and interrupts do, and the work that was put off.

use impls::family::{CALL_ACK, FREE_AREA_LOCK, LAZY_LOCK};
use machine::PointKind::{Store, Wait};

use crate::story::Tag;

use super::Tactic;

pub(super) const TACTICS: &[Tactic] = &[
    Tactic { with_user: Some(20), ..Tactic::weighs(Tag::Continue, 6) },
    Tactic { with_user: Some(20), ..Tactic::weighs(Tag::Deliver, 5) },
    Tactic::weighs(Tag::Fill, 5),
    Tactic::weighs(Tag::DrainStores, 2),
    Tactic { with_user: Some(12), ..Tactic::weighs(Tag::GracePeriod, 1) },
    Tactic {
        held_up: &[(Wait, CALL_ACK), (Store, LAZY_LOCK), (Store, FREE_AREA_LOCK)],
        needs_aliases: true,
        ..Tactic::weighs(Tag::RunWork, 3)
    },
];
