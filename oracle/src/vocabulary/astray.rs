//! Operands of hypercalls that a caller makes behind its kernel's back: a guest gone astray (seed 004).
//!
//! The caller gives the pages that it names up to such hypercalls for the rest of the story. No kernel maps or frees them
//! any more, and no caller cares what they hold. The hypervisor may refuse such a call or obey it; either way it must
//! protect itself and other domains. Without a hypervisor the calls do nothing.

use core::fmt;

use super::PageSlot;

/// An entry of a page, whether the page is a table or not (`p0+1`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TableEntry {
    /// The page.
    pub table: PageSlot,
    /// Which entry, below [`TableEntry::COUNT`].
    pub index: u8,
}

impl TableEntry {
    /// How many entries of a page a story can name.
    pub const COUNT: u8 = 4;
}

impl fmt::Display for TableEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.table, self.index)
    }
}

/// The level of a table, 1 to 4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Level(pub u8);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
    /// To a page that a caller gave up.
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
    /// Every kind of access.
    pub const ALL: [Self; 3] = [Self::Readable, Self::Writable, Self::Large];

    /// The word for it in stories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Writable => "writable",
            Self::Large => "large",
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
