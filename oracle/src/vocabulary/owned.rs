//! Areas that own their pages (`vmalloc`), and the permissions under which those pages are mapped.
//!
//! The kernel allocates the pages of such an area itself, and has another mapping of each: its entry in the direct map,
//! which is writable and not executable by default. Whoever changes the permissions of an area changes those of the
//! direct map with them, because a page that may be executed must not be writable by another way.

use core::fmt;

use super::{AreaSlot, MAX_PAGES, Place, Token};

/// What an area lets its callers do, beside reading.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Access {
    /// Nothing else (`set_memory_ro`).
    ReadOnly,
    /// Execute (`set_memory_rox`).
    ReadExecute,
    /// Write (`set_memory_rw`, and what every area begins with).
    ReadWrite,
}

impl Access {
    /// Every access, in the order of the tags of the operations that give it.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::ReadExecute, Self::ReadWrite];

    /// Whether it lets callers write.
    pub const fn writes(self) -> bool {
        matches!(self, Self::ReadWrite)
    }

    /// Whether it lets callers execute.
    pub const fn executes(self) -> bool {
        matches!(self, Self::ReadExecute)
    }
}

/// How processors may cache what an area holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemoryType {
    /// Not at all; writes are combined (`set_memory_wc`).
    WriteCombining,
    /// As memory usually is (`set_memory_wb`, and what every area begins with).
    WriteBack,
}

impl MemoryType {
    /// Every type, in the order of the tags of the operations that give it.
    pub const ALL: [Self; 2] = [Self::WriteCombining, Self::WriteBack];
}

/// One thing asked of an area that owns its pages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owned {
    /// Make such an area, of zeroed pages, readable and writable.
    Vmalloc {
        /// How many pages, 1 to [`MAX_PAGES`].
        count: u8,
        /// The handle for the area.
        area: AreaSlot,
        /// The kernel may take a page of 2 MiB for it instead, and map that by one large entry (`vmalloc_huge`).
        huge: bool,
    },
    /// Change what the area, and with it the direct map of its pages, lets callers do.
    SetMemory {
        /// The area.
        area: AreaSlot,
        /// What it is to allow.
        access: Access,
    },
    /// Change the memory type of the area, and with it of the direct map of its pages. What callers may do and find there
    /// stays the same.
    SetMemoryType {
        /// The area.
        area: AreaSlot,
        /// What it is to be.
        memory_type: MemoryType,
    },
    /// Unmap the area and give its pages back; if its permissions or its memory type were changed ever, at once and with nothing left
    /// behind (`VM_FLUSH_RESET_PERMS`).
    Vfree {
        /// The area.
        area: AreaSlot,
    },
    /// Fetch an instruction from a page of any mapping.
    Exec {
        /// Where.
        place: Place,
    },
    /// Read the word of a page of the area through the direct map.
    ReadDirect {
        /// Where the page is in the area.
        place: Place,
    },
    /// Write the word of a page of the area through the direct map.
    WriteDirect {
        /// Where the page is in the area.
        place: Place,
        /// What.
        token: Token,
    },
}

impl Owned {
    /// The words by which stories and headlines name the operations.
    pub const NAMES: [&str; 11] = [
        "vmalloc",
        "set-memory-ro",
        "set-memory-rox",
        "set-memory-rw",
        "vfree",
        "exec",
        "read-direct",
        "write-direct",
        "vmalloc-huge",
        "set-memory-wc",
        "set-memory-wb",
    ];

    /// Where the operation is in [`Self::NAMES`].
    pub const fn index(self) -> usize {
        match self {
            Self::Vmalloc { huge: false, .. } => 0,
            Self::SetMemory { access, .. } => 1 + access as usize,
            Self::Vfree { .. } => 4,
            Self::Exec { .. } => 5,
            Self::ReadDirect { .. } => 6,
            Self::WriteDirect { .. } => 7,
            Self::Vmalloc { huge: true, .. } => 8,
            Self::SetMemoryType { memory_type, .. } => 9 + memory_type as usize,
        }
    }

    /// The area or the mapping that it is about, as a place.
    pub const fn place(self) -> Option<Place> {
        match self {
            Self::Exec { place } | Self::ReadDirect { place } | Self::WriteDirect { place, .. } => {
                Some(place)
            }
            Self::Vmalloc { .. }
            | Self::SetMemory { .. }
            | Self::SetMemoryType { .. }
            | Self::Vfree { .. } => None,
        }
    }

    /// The area that it makes, changes or frees.
    pub const fn area(self) -> Option<AreaSlot> {
        match self {
            Self::Vmalloc { area, .. }
            | Self::SetMemory { area, .. }
            | Self::SetMemoryType { area, .. }
            | Self::Vfree { area } => Some(area),
            Self::Exec { .. } | Self::ReadDirect { .. } | Self::WriteDirect { .. } => None,
        }
    }
}

impl fmt::Display for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vmalloc { count, area, .. } => write!(f, " +{count} -> {area}"),
            Self::SetMemory { area, .. } | Self::SetMemoryType { area, .. } | Self::Vfree { area } => {
                write!(f, " {area}")
            }
            Self::Exec { place } | Self::ReadDirect { place } => write!(f, " {place}"),
            Self::WriteDirect { place, token } => write!(f, " {place} = {token}"),
        }
    }
}

const _: () = assert!(MAX_PAGES <= u8::BITS as usize, "a page of an area is a bit");
