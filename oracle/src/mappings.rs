//! The mappings that a backend holds, and what their ranges must be.
//!
//! Ranges are compared within one backend and never predicted: which hole a kernel picks is its own affair.

use crate::handle::Handle;
use crate::vocabulary::{Access, AreaSlot, BufferSlot, Mapping, PageList, RamSlot, Range, SLOTS};

/// Bytes in a page.
const PAGE_SIZE: u64 = 4096;

/// One mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) handle: Handle,
    pub(crate) pages: PageList,
    /// How many pages of its own it has instead.
    pub(crate) owned: u8,
    /// What it may allow at this moment, a bit for each [`Access`].
    pub(crate) allowed: u8,
    /// Where it lies; meaningful once obtained.
    pub(crate) range: Range,
    /// Reads and writes in flight through it.
    pub(crate) accesses: u8,
}

/// Why a range cannot be that of a new mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    /// It has not one page for each that was to be mapped.
    Length,
    /// It does not start at a page, or is not canonical from its first byte to its last.
    Place,
    /// It shares an address with this live mapping.
    Overlaps(Mapping, Range),
    /// The page behind an area belongs to nobody, so that running off its end faults; here it is part of this live
    /// mapping, or that of this live area is part of the new range.
    Unguarded(Mapping, Range),
}

/// An access in the sets that `allowed` holds.
pub(crate) const fn bit(access: Access) -> u8 {
    1 << access as u8
}

/// All mappings of a backend.
#[derive(Debug)]
pub(crate) struct Mappings {
    areas: [Entry; SLOTS as usize],
    rams: [Entry; SLOTS as usize],
    buffers: [Entry; SLOTS as usize],
}

impl Mappings {
    /// None at all.
    pub(crate) fn new() -> Self {
        let none = Entry {
            handle: Handle::default(),
            pages: PageList::new([]),
            owned: 0,
            allowed: bit(Access::ReadWrite),
            range: Range { start: 0, pages: 0 },
            accesses: 0,
        };
        Self { areas: [none; SLOTS as usize], rams: [none; SLOTS as usize], buffers: [none; SLOTS as usize] }
    }

    pub(crate) fn get(&self, mapping: Mapping) -> &Entry {
        match mapping {
            Mapping::Area(slot) => &self.areas[slot.index()],
            Mapping::Ram(slot) => &self.rams[slot.index()],
            Mapping::Buffer(slot) => &self.buffers[slot.index()],
        }
    }

    pub(crate) fn get_mut(&mut self, mapping: Mapping) -> &mut Entry {
        match mapping {
            Mapping::Area(slot) => &mut self.areas[slot.index()],
            Mapping::Ram(slot) => &mut self.rams[slot.index()],
            Mapping::Buffer(slot) => &mut self.buffers[slot.index()],
        }
    }

    /// The mappings that stand and that nobody began to unmap: areas first, then small mappings, then buffers, in the
    /// order of their slots.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Mapping, &Entry)> {
        let areas = (0..SLOTS).map(|n| Mapping::Area(AreaSlot::new(n)));
        let rams = (0..SLOTS).map(|n| Mapping::Ram(RamSlot::new(n)));
        let buffers = (0..SLOTS).map(|n| Mapping::Buffer(BufferSlot::new(n)));
        let all = areas.zip(&self.areas).chain(rams.zip(&self.rams)).chain(buffers.zip(&self.buffers));
        all.filter(|(_, entry)| entry.handle.is_live())
    }

    /// Whether a mapping of so many pages whose maker returned just now may lie here.
    ///
    /// A mapping owns its range at least from its maker's return to the begin of its unmap, so that two which both
    /// stand at this moment must be apart. One whose unmap began is passed over, although it has not returned yet:
    ///
    /// ```text
    ///     c0 vunmap a0                     c1 vmap -> a1
    ///     clear the entries, flush all
    ///     give the range back
    ///                                      takes that range: legal
    ///                                      returns
    ///     returns
    /// ```
    pub(crate) fn fit(&self, made: Mapping, range: Range, pages: usize) -> Result<(), Misfit> {
        if usize::from(range.pages) != pages {
            return Err(Misfit::Length);
        }
        let last = last_byte(range).ok_or(Misfit::Place)?;
        if !range.start.is_multiple_of(PAGE_SIZE)
            || half(range.start).is_none()
            || half(range.start) != half(last)
        {
            return Err(Misfit::Place);
        }
        for (mapping, entry) in self.live() {
            if let Some(its_last) = last_byte(entry.range)
                && range.start <= its_last
                && entry.range.start <= last
            {
                return Err(Misfit::Overlaps(mapping, entry.range));
            }
            if guard(made, range) == Some(entry.range.start)
                || guard(mapping, entry.range) == Some(range.start)
            {
                return Err(Misfit::Unguarded(mapping, entry.range));
            }
        }
        Ok(())
    }
}

/// Where the guard page of a mapping lies: areas have one, and buffers, which lie in areas; small mappings have none.
fn guard(mapping: Mapping, range: Range) -> Option<u64> {
    match mapping {
        Mapping::Area(_) | Mapping::Buffer(_) => last_byte(range)?.checked_add(1),
        Mapping::Ram(_) => None,
    }
}

/// The last byte of a range; none if it is empty or leaves the space.
fn last_byte(range: Range) -> Option<u64> {
    range.start.checked_add((u64::from(range.pages) * PAGE_SIZE).checked_sub(1)?)
}

/// Which canonical half of a 48-bit space an address is in: bits 47 to 63 are all equal.
fn half(address: u64) -> Option<bool> {
    match address >> 47 {
        0 => Some(false),
        0x1_ffff => Some(true),
        _ => None,
    }
}
