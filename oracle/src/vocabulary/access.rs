//! Areas that own their pages (`vmalloc`), and the permissions under which those pages are mapped.
//!
//! The kernel allocates the pages of such an area itself, and maps each a second time, in the direct map: writable and not
//! executable by default. A caller that changes the permissions of an area changes the direct map with them, because no
//! page may be executable by one mapping and writable by another.

use super::{AreaSlot, MAX_PAGES, Operation};

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

impl Operation {
    /// The area whose permissions the operation changes, and what it lets callers do from then on.
    pub const fn allows(&self) -> Option<(AreaSlot, Access)> {
        match *self {
            Self::SetMemoryRo { area } => Some((area, Access::ReadOnly)),
            Self::SetMemoryRox { area } => Some((area, Access::ReadExecute)),
            Self::SetMemoryRw { area } => Some((area, Access::ReadWrite)),
            _ => None,
        }
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

const _: () = assert!(MAX_PAGES <= u8::BITS as usize, "a page of an area is a bit");
