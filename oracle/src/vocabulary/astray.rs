//! Hypercalls that a caller makes of its own, behind its kernel's back: a guest gone astray (seed 004).
//!
//! The pages that they name are given up to them for the rest of the story: no kernel maps or frees them, and what they
//! hold is nobody's concern. The hypervisor may refuse such a call or obey it, and must protect itself and others
//! either way. Without a hypervisor they do nothing.

use core::fmt;

use super::PageSlot;

/// A call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RawCall {
    /// Sets an entry of a page, be it a table or not (`mmu_update`).
    Update {
        /// The page.
        table: PageSlot,
        /// Which entry, below [`RawCall::ENTRIES`].
        index: u8,
        /// What it is to hold.
        entry: RawEntry,
    },
    /// Makes a page a table and keeps it one (`MMUEXT_PIN_L1_TABLE` to `L4`), and links it where an access finds it.
    Pin {
        /// The page.
        page: PageSlot,
        /// 1 to 4.
        level: u8,
    },
    /// Unlinks a table and lets go of it (`MMUEXT_UNPIN_TABLE`).
    Unpin {
        /// The page.
        page: PageSlot,
    },
    /// Writes to where an entry of a page leads, if it is linked as a table.
    Write {
        /// The page.
        table: PageSlot,
        /// Which entry, below [`RawCall::ENTRIES`].
        index: u8,
    },
    /// Sets the lowest-level entry of an address (`update_va_mapping`): that behind an entry of a table, if the table is linked
    /// as one of the lowest level, and else the first of the table that the entry leads to.
    UpdateVa {
        /// The table.
        table: PageSlot,
        /// Which entry.
        index: u8,
        /// What the lowest-level entry is to hold.
        entry: RawEntry,
    },
    /// Flushes everything on every CPU (`MMUEXT_TLB_FLUSH_ALL`).
    Flush,
    /// Offers the frame beneath a page for one that devices reach, whatever refers to it (`XENMEM_exchange`).
    Exchange {
        /// The page.
        page: PageSlot,
    },
}

/// What an entry is to hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RawEntry {
    /// Nothing.
    Empty,
    /// It leads somewhere.
    Leads {
        /// Where.
        to: RawFrame,
        /// As what.
        access: RawAccess,
    },
}

/// Where an entry leads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RawFrame {
    /// To a page that was given up.
    Page(PageSlot),
    /// To memory of another domain.
    Foreign,
}

/// What an entry allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RawAccess {
    /// Reading.
    Readable,
    /// Reading and writing, or a table.
    Writable,
    /// The same, through a large leaf.
    Large,
}

impl RawAccess {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Readable, Self::Writable, Self::Large];

    /// The word that stories have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Writable => "writable",
            Self::Large => "large",
        }
    }
}

impl RawCall {
    /// So many entries of a page can be named.
    pub const ENTRIES: u8 = 4;

    /// The words by which stories and headlines name the calls, in the order of their declaration.
    pub const NAMES: [&str; 7] =
        ["hv-update", "hv-pin", "hv-unpin", "hv-write", "hv-flush", "hv-exchange", "hv-update-va"];

    /// Where the call is in [`Self::NAMES`].
    pub const fn index(&self) -> usize {
        match self {
            Self::Update { .. } => 0,
            Self::Pin { .. } => 1,
            Self::Unpin { .. } => 2,
            Self::Write { .. } => 3,
            Self::Flush => 4,
            Self::Exchange { .. } => 5,
            Self::UpdateVa { .. } => 6,
        }
    }

    /// The pages that it names.
    pub fn pages(&self) -> impl Iterator<Item = PageSlot> {
        let (one, other) = match *self {
            Self::Update { table, entry: RawEntry::Leads { to: RawFrame::Page(page), .. }, .. }
            | Self::UpdateVa { table, entry: RawEntry::Leads { to: RawFrame::Page(page), .. }, .. } => {
                (Some(table), Some(page))
            }
            Self::Update { table, .. } | Self::UpdateVa { table, .. } | Self::Write { table, .. } => {
                (Some(table), None)
            }
            Self::Pin { page, .. } | Self::Unpin { page } | Self::Exchange { page } => (Some(page), None),
            Self::Flush => (None, None),
        };
        one.into_iter().chain(other)
    }
}

/// The operands, each with a space before it, as stories have them.
impl fmt::Display for RawCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Update { table, index, entry } | Self::UpdateVa { table, index, entry } => {
                write!(f, " {table}+{index} {entry}")
            }
            Self::Pin { page, level } => write!(f, " {page} {level}"),
            Self::Unpin { page } | Self::Exchange { page } => write!(f, " {page}"),
            Self::Write { table, index } => write!(f, " {table}+{index}"),
            Self::Flush => Ok(()),
        }
    }
}

impl fmt::Display for RawEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Leads { to: RawFrame::Page(page), access } => write!(f, "-> {page} {}", access.name()),
            Self::Leads { to: RawFrame::Foreign, access } => write!(f, "-> foreign {}", access.name()),
        }
    }
}
