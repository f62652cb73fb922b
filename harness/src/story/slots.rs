//! Sets of slots.

use core::ops::BitAnd;

use oracle::vocabulary::SLOTS;

/// A set of slots of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct SlotSet(u16);

const _: () = assert!(SLOTS as u32 == u16::BITS, "a slot is a bit");

impl SlotSet {
    /// No slot.
    pub(crate) const EMPTY: Self = Self(0);

    /// Every slot.
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// The first `count` slots.
    pub(crate) const fn first(count: u8) -> Self {
        if count >= SLOTS { Self::ALL } else { Self((1 << count) - 1) }
    }

    /// Whether this slot is in it.
    #[inline]
    pub(crate) const fn contains(self, slot: u8) -> bool {
        self.0 >> slot & 1 != 0
    }

    /// Whether it has no slot.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many slots it has.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Puts a slot in or takes it out.
    #[inline]
    pub(crate) const fn set(&mut self, slot: u8, present: bool) {
        let bit = 1 << slot;
        self.0 = if present { self.0 | bit } else { self.0 & !bit };
    }

    /// The first slot from this one on, wrapping.
    #[inline]
    pub(crate) const fn from(self, slot: u8) -> Option<u8> {
        let turned = self.0.rotate_right(slot as u32);
        if turned == 0 { None } else { Some((slot + turned.trailing_zeros() as u8) % SLOTS) }
    }

    /// What a slot of a story stands for: the first of these from it on, wrapping. One that is not among the known is busy,
    /// and stands for no other.
    #[inline]
    pub(crate) const fn stand_in(self, slot: u8, known: Self) -> Option<u8> {
        if known.contains(slot) { self.from(slot) } else { None }
    }

    /// All slots from this one on, wrapping.
    pub(crate) fn all_from(self, slot: u8) -> impl Iterator<Item = u8> {
        let mut turned = self.0.rotate_right(u32::from(slot));
        core::iter::from_fn(move || {
            let next = (turned != 0).then(|| (slot + turned.trailing_zeros() as u8) % SLOTS);
            turned &= turned.wrapping_sub(1);
            next
        })
    }

    /// Those that are in either.
    #[inline]
    #[must_use]
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of which this holds.
    pub(crate) fn filter(self, holds: impl Fn(u8) -> bool) -> Self {
        let mut kept = Self::EMPTY;
        self.all_from(0).filter(|slot| holds(*slot)).for_each(|slot| kept.set(slot, true));
        kept
    }

    /// Those that are not in the other.
    #[inline]
    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitAnd for SlotSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
