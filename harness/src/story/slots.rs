//! Sets of slots, and which slots are in which state at one moment of a story.

use core::ops::BitAnd;

use oracle::vocabulary::SLOTS;

/// A set of slots of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct SlotSet(u16);

const _: () = assert!(SLOTS as u32 == u16::BITS, "a slot is a bit");

impl SlotSet {
    /// Every slot.
    pub(super) const ALL: Self = Self(u16::MAX);

    /// The first so many slots.
    pub(super) const fn first(count: u8) -> Self {
        if count >= SLOTS { Self::ALL } else { Self((1 << count) - 1) }
    }

    /// Whether this slot is in it.
    #[inline]
    pub(super) const fn contains(self, slot: u8) -> bool {
        self.0 >> slot & 1 != 0
    }

    /// Whether it has no slot.
    #[inline]
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many slots it has.
    #[inline]
    pub(super) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Puts a slot in or takes it out.
    #[inline]
    pub(super) const fn set(&mut self, slot: u8, present: bool) {
        let bit = 1 << slot;
        self.0 = if present { self.0 | bit } else { self.0 & !bit };
    }

    /// The first slot from this one on, wrapping.
    #[inline]
    pub(super) const fn from(self, slot: u8) -> Option<u8> {
        let turned = self.0.rotate_right(slot as u32);
        if turned == 0 { None } else { Some((slot + turned.trailing_zeros() as u8) % SLOTS) }
    }

    /// What a slot of a story stands for: the first of these from it on, wrapping. One that is not among the known is busy,
    /// and stands for no other.
    #[inline]
    pub(super) const fn stand_in(self, slot: u8, known: Self) -> Option<u8> {
        if known.contains(slot) { self.from(slot) } else { None }
    }

    /// All slots from this one on, wrapping.
    pub(super) fn all_from(self, slot: u8) -> impl Iterator<Item = u8> {
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
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[inline]
    #[must_use]
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitAnd for SlotSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Handles that operations act on, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Operands {
    /// Pages, behind mappings and in trees too.
    pub(super) pages: SlotSet,
    /// Areas.
    pub(super) areas: SlotSet,
    /// Mappings of map-ram.
    pub(super) rams: SlotSet,
    /// Buffers.
    pub(super) buffers: SlotSet,
    /// Address spaces.
    pub(super) mms: SlotSet,
}

impl Operands {
    /// Those that are in either.
    #[must_use]
    pub(super) const fn or(self, other: Self) -> Self {
        Self {
            pages: self.pages.or(other.pages),
            areas: self.areas.or(other.areas),
            rams: self.rams.or(other.rams),
            buffers: self.buffers.or(other.buffers),
            mms: self.mms.or(other.mms),
        }
    }
}

/// Which slots are in which state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    /// Pages that are held, not tables and not busy.
    pub(super) pages: SlotSet,
    /// Slots without a page.
    pub(super) free_pages: SlotSet,
    /// Pages that are tables, not busy.
    pub(super) tables: SlotSet,
    /// Pages that a mapping holds, finished or not.
    pub(super) mapped_pages: SlotSet,
    /// Pages whose flags their owner is changing.
    pub(super) flagged_pages: SlotSet,
    /// Trees of tables, not busy.
    pub(super) trees: SlotSet,
    /// Slots without a tree.
    pub(super) free_trees: SlotSet,
    /// Pages that were given up to raw hypercalls.
    pub(super) raw: SlotSet,
    /// Those of them that were pinned, and not unpinned since, whatever the hypervisor said.
    pub(super) pinned: SlotSet,
    /// Address spaces, not busy.
    pub(super) mms: SlotSet,
    /// Slots without an address space.
    pub(super) free_mms: SlotSet,
    /// Address spaces that a CPU is on the way into.
    pub(super) entered_mms: SlotSet,
    /// The areas.
    pub(super) areas: MapSlots,
    /// The mappings of map-ram.
    pub(super) rams: MapSlots,
    /// The buffers.
    pub(super) buffers: MapSlots,
}

impl Slots {
    /// Pages that their owner may give away.
    pub(super) fn idle_pages(&self) -> SlotSet {
        self.pages.without(self.mapped_pages).without(self.flagged_pages)
    }
}

/// Which slots of one kind of mapping are in which state.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapSlots {
    /// Mapped, not busy.
    pub(super) live: SlotSet,
    /// Slots without a mapping; what is neither live nor free is being made or unmade.
    pub(super) free: SlotSet,
    /// A read or write is in progress.
    pub(super) used: SlotSet,
    /// There is or was a mapping.
    pub(super) known: SlotSet,
    /// Areas that own their pages, live or being made or freed.
    pub(super) owned: SlotSet,
    /// Areas whose permissions or memory types are being changed.
    pub(super) changing: SlotSet,
}
