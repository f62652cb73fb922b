//! The mappings that a backend holds, and the rules for their ranges.
//!
//! Ranges are compared within one backend and never predicted: a kernel picks any hole it likes.

use crate::things::Things;
use crate::vocabulary::{
    Access, AreaSlot, BufferSlot, Mapping, Named, PageList, RamSlot, Range, SLOTS, Sort,
};

/// Bytes in a page.
const PAGE_SIZE: u64 = 4096;

/// A mapping on this backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where it lies; meaningful once obtained.
    pub(crate) range: Range,
    /// What it may allow at this moment, a bit for each [`Access`].
    pub(crate) allowed: u8,
}

/// Why a range cannot be that of a new mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    /// It has more or fewer pages than the caller asked for.
    Length,
    /// It does not start at a page, or is not canonical from its first byte to its last.
    Place,
    /// It shares an address with this live mapping.
    Overlaps(Mapping, Range),
    /// The page behind an area must be a guard page, so that running off the area's end faults. Here it is part of this
    /// live mapping; or the guard page of this live area is part of the new range.
    Unguarded(Mapping, Range),
}

/// The bit of an access in the sets that `allowed` holds.
pub(crate) const fn bit(access: Access) -> u8 {
    1 << access as u8
}

/// The sorts of mappings, in the order in which [`Mappings::live`] tells them.
const SORTS: [Sort; 3] = [Sort::Area, Sort::Ram, Sort::Buffer];

/// All mappings of a backend. [`Things`] says which of them stand.
#[derive(Debug)]
pub(crate) struct Mappings([[Entry; SLOTS as usize]; SORTS.len()]);

impl Mappings {
    /// None at all.
    pub(crate) fn new() -> Self {
        let none = Entry { range: Range { start: 0, pages: 0 }, allowed: bit(Access::ReadWrite) };
        Self([[none; SLOTS as usize]; SORTS.len()])
    }

    pub(crate) const fn get(&self, mapping: Mapping) -> &Entry {
        let (row, slot) = place(mapping);
        &self.0[row][slot]
    }

    pub(crate) const fn get_mut(&mut self, mapping: Mapping) -> &mut Entry {
        let (row, slot) = place(mapping);
        &mut self.0[row][slot]
    }

    /// The mappings that stand and that no caller began to unmap: areas first, then small mappings, then buffers, each by
    /// slot.
    pub(crate) fn live(&self, things: &Things) -> impl Iterator<Item = (Mapping, Range, PageList)> {
        SORTS.into_iter().flat_map(move |sort| {
            let live = things.all(sort).filter(|(_, thing)| thing.is_live());
            live.map(move |(slot, thing)| {
                let mapping = mapping(Named::Thing(sort, slot)).expect("a sort of mappings");
                (mapping, self.get(mapping).range, *thing.pages())
            })
        })
    }

    /// Whether a mapping of this many pages may lie here, whose maker returned just now.
    ///
    /// A mapping owns its range at least from its maker's return to the begin of its unmap. So two mappings that both stand
    /// now must be apart. A mapping whose unmap began does not count, although the unmap has not returned yet:
    ///
    /// ```text
    ///     c0 vunmap a0                     c1 vmap -> a1
    ///     clear the entries, flush all
    ///     give the range back
    ///                                      takes that range: legal
    ///                                      returns
    ///     returns
    /// ```
    pub(crate) fn fit(
        &self,
        things: &Things,
        made: Mapping,
        range: Range,
        pages: usize,
    ) -> Result<(), Misfit> {
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
        for (mapping, its, _) in self.live(things) {
            if let Some(its_last) = last_byte(its)
                && range.start <= its_last
                && its.start <= last
            {
                return Err(Misfit::Overlaps(mapping, its));
            }
            if guard(made, range) == Some(its.start) || guard(mapping, its) == Some(range.start) {
                return Err(Misfit::Unguarded(mapping, its));
            }
        }
        Ok(())
    }
}

const fn place(mapping: Mapping) -> (usize, usize) {
    match mapping {
        Mapping::Area(area) => (0, area.index()),
        Mapping::Ram(ram) => (1, ram.index()),
        Mapping::Buffer(buffer) => (2, buffer.index()),
    }
}

/// The mapping that the name stands for, if it stands for one.
pub(crate) fn mapping(named: Named) -> Option<Mapping> {
    match named {
        Named::Thing(Sort::Area, slot) => Some(Mapping::Area(AreaSlot::new(slot))),
        Named::Thing(Sort::Ram, slot) => Some(Mapping::Ram(RamSlot::new(slot))),
        Named::Thing(Sort::Buffer, slot) => Some(Mapping::Buffer(BufferSlot::new(slot))),
        _ => None,
    }
}

/// Where the guard page of a mapping lies. Areas have one, and so have buffers, which lie in areas; small mappings have
/// none.
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
