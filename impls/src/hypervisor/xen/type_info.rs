//! The two words that the hypervisor keeps for each frame, bit by bit: `count_info` and `type_info`.
//!
//! Plain values. [`super::page_info`] and [`super::page_type`] say which CPU may change them, and in which order.

use super::tlb_clock::Time;
use std::fmt;

/// What a frame is in use as. A frame has one type at a time and keeps it for as long as a reference holds it. This alone
/// keeps a page table from being mapped writable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PageType {
    /// Nothing that matters: the frame had no other use since it was last known to be flushed.
    None,
    /// A page table of this level, 1 to 4.
    Table(u8),
    /// Data that some mapping may write to.
    Writable,
}

impl fmt::Display for PageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Table(level) => write!(f, "an L{level} table"),
            Self::Writable => f.write_str("writable data"),
        }
    }
}

const COUNT: u64 = 0xffff_ffff;
const TYPE_SHIFT: u32 = 32;
const TYPE: u64 = 7 << TYPE_SHIFT;
const WRITABLE: u64 = 7;
const VALIDATED: u64 = 1 << 40;
const PINNED: u64 = 1 << 41;
const WORKER_SHIFT: u32 = 42;
const WORKER: u64 = 0xf << WORKER_SHIFT;
const STAMP_SHIFT: u32 = 48;
const STAMP: u64 = 0xffff << STAMP_SHIFT;
const _: () = assert!(machine::MAX_CPUS < 0xf);

/// The type of a frame, how many references hold it, whether it is validated and pinned, which CPU works on its validation,
/// and when a reference last went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TypeInfo(pub u64);

impl TypeInfo {
    /// A frame of no type.
    pub const NONE: Self = Self(0);

    /// How many references hold the type.
    pub const fn count(self) -> u32 {
        (self.0 & COUNT) as u32
    }

    /// The type; with a count of 0 it is the one that the frame had last.
    pub const fn page_type(self) -> PageType {
        match (self.0 & TYPE) >> TYPE_SHIFT {
            0 => PageType::None,
            WRITABLE => PageType::Writable,
            level => PageType::Table(level as u8),
        }
    }

    /// Whether the contents of the frame were checked. Until they are, the CPU that works on it holds the only reference,
    /// and no other CPU takes one.
    pub const fn validated(self) -> bool {
        self.0 & VALIDATED != 0
    }

    /// Whether the guest holds a reference of its own, by a pin.
    pub const fn pinned(self) -> bool {
        self.0 & PINNED != 0
    }

    /// The CPU that validates the frame, or takes its validation back.
    pub const fn worker(self) -> Option<u8> {
        match (self.0 & WORKER) >> WORKER_SHIFT {
            0 => None,
            worker => Some(worker as u8 - 1),
        }
    }

    /// The time of the TLB clock at which the reference went that may have been the last.
    pub(super) const fn stamp(self) -> Time {
        ((self.0 & STAMP) >> STAMP_SHIFT) as Time
    }

    /// The same, with a reference that goes now.
    pub(super) const fn stamped(self, now: Time) -> Self {
        Self(self.0 & !STAMP | (now as u64) << STAMP_SHIFT)
    }

    /// With one more reference.
    pub(super) const fn taken(self) -> Self {
        Self(self.0 + 1)
    }

    /// With one reference fewer.
    pub(super) const fn dropped(self) -> Self {
        Self(self.0 - 1)
    }

    /// With one reference, of a type that this CPU is about to validate.
    pub(super) const fn unvalidated(page_type: PageType, worker: u8) -> Self {
        let bits = match page_type {
            PageType::None => 0,
            PageType::Table(level) => level as u64,
            PageType::Writable => WRITABLE,
        };
        Self(bits << TYPE_SHIFT | (worker as u64 + 1) << WORKER_SHIFT | 1)
    }

    /// The same, validated; no CPU works on it any more.
    pub(super) const fn with_validation(self) -> Self {
        Self(self.0 & !WORKER | VALIDATED)
    }

    /// The same; this CPU is about to take its validation back.
    pub(super) const fn without_validation(self, worker: u8) -> Self {
        Self(self.0 & !(VALIDATED | WORKER) | (worker as u64 + 1) << WORKER_SHIFT)
    }

    /// No CPU works on it any more.
    pub(super) const fn without_worker(self) -> Self {
        Self(self.0 & !WORKER)
    }

    /// The same, pinned or not.
    pub(super) const fn with_pin(self, pinned: bool) -> Self {
        if pinned { Self(self.0 | PINNED) } else { Self(self.0 & !PINNED) }
    }
}

const ALLOCATED: u64 = 1 << 63;

/// How many references of any kind there are to a frame, and whether it is allocated to its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountInfo(pub u64);

impl CountInfo {
    /// Allocated to a domain, which is one reference.
    pub const ALLOCATED: Self = Self(ALLOCATED | 1);

    /// References of any kind.
    pub const fn count(self) -> u32 {
        (self.0 & COUNT) as u32
    }

    /// Whether the frame is allocated to its owner.
    pub const fn allocated(self) -> bool {
        self.0 & ALLOCATED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_encoding() {
        for page_type in [PageType::None, PageType::Writable].into_iter().chain((1..=4).map(PageType::Table))
        {
            for worker in 0..8 {
                let info = TypeInfo::unvalidated(page_type, worker);
                assert_eq!((info.page_type(), info.count(), info.worker()), (page_type, 1, Some(worker)));
                assert!(!info.validated() && !info.pinned());
                let info = info.with_validation().taken().with_pin(true);
                assert_eq!((info.page_type(), info.count(), info.worker()), (page_type, 2, None));
                assert!(info.validated() && info.pinned());
                for now in [0, 1, Time::MAX] {
                    assert_eq!(info.stamped(now).stamp(), now);
                    assert_eq!(info.stamped(now).stamped(0), info);
                }
                let info = info.with_pin(false).dropped().without_validation(worker);
                assert_eq!(info, TypeInfo::unvalidated(page_type, worker));
            }
        }
    }

    #[test]
    fn the_allocated_reference_is_one_of_the_count() {
        assert_eq!((CountInfo::ALLOCATED.count(), CountInfo::ALLOCATED.allocated()), (1, true));
    }
}
