//! Places as operands: mappings, and pages within them.

use core::fmt;

use super::{AreaSlot, BufferSlot, RamSlot};

/// A mapping, by the handle that its maker holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mapping {
    /// An area of vmap.
    Area(AreaSlot),
    /// A small mapping of `vm_map_ram`.
    Ram(RamSlot),
    /// Where CPUs see a buffer for DMA.
    Buffer(BufferSlot),
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area(slot) => slot.fmt(f),
            Self::Ram(slot) => slot.fmt(f),
            Self::Buffer(slot) => slot.fmt(f),
        }
    }
}

/// A page within a mapping (`a0+1`, `r2+0`), counted in pages from its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The mapping.
    pub mapping: Mapping,
    /// Pages from its start; below its length once resolved.
    pub page: u8,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.mapping, self.page)
    }
}

/// A page that an area owns (`a0+1`), counted from its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnPage {
    /// The area.
    pub area: AreaSlot,
    /// Pages from its start; below its length once resolved.
    pub page: u8,
}

impl OwnPage {
    /// The same as a place.
    pub const fn place(self) -> Place {
        Place { mapping: Mapping::Area(self.area), page: self.page }
    }
}

impl fmt::Display for OwnPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().fmt(f)
    }
}

/// A page of a buffer (`b0+1`), counted from its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BufferPage {
    /// The buffer.
    pub buffer: BufferSlot,
    /// Pages from its start; below its length once resolved.
    pub page: u8,
}

impl BufferPage {
    /// The same as a place.
    pub const fn place(self) -> Place {
        Place { mapping: Mapping::Buffer(self.buffer), page: self.page }
    }
}

impl fmt::Display for BufferPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().fmt(f)
    }
}
