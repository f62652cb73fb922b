//! Why the hypervisor refused a hypercall. A refused call has changed nothing that the guest could notice.

use super::type_info::PageType;
use machine::Frame;
use std::fmt;

/// The reason, and what it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The machine has no such frame.
    NoSuchFrame(Frame),
    /// The frame belongs to the hypervisor or to another domain.
    ForeignFrame(Frame),
    /// The frame is not allocated.
    Unallocated(Frame),
    /// The frame is in use as something else.
    TypeConflict {
        /// The frame.
        frame: Frame,
        /// What it is in use as.
        found: PageType,
        /// The type that it was to have.
        wanted: PageType,
    },
    /// An upper entry is a large leaf, which guests may not have.
    LargeLeaf {
        /// The frame that it leads to.
        frame: Frame,
    },
    /// No table has this level, 1 to 4.
    NoSuchLevel(u8),
    /// The address has no lowest-level table under the current root.
    NoLowestTable {
        /// The address.
        va: u64,
    },
    /// The frame is pinned already.
    AlreadyPinned(Frame),
    /// The frame is not pinned.
    NotPinned(Frame),
    /// Something refers to the frame beside its allocation.
    StillReferred(Frame),
}

impl Refusal {
    /// The reason in words, for a line of the trace.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchFrame(_) => "refused: no such frame",
            Self::ForeignFrame(_) => "refused: a foreign frame",
            Self::Unallocated(_) => "refused: an unallocated frame",
            Self::TypeConflict { found, .. } => match found {
                PageType::None => "refused: a frame of no type",
                PageType::Table(_) => "refused: the frame is a page table",
                PageType::Writable => "refused: the frame is mapped writable",
            },
            Self::LargeLeaf { .. } => "refused: a large leaf",
            Self::NoSuchLevel(_) => "refused: no such level",
            Self::NoLowestTable { .. } => "refused: no lowest-level table for the address",
            Self::AlreadyPinned(_) => "refused: pinned already",
            Self::NotPinned(_) => "refused: not pinned",
            Self::StillReferred(_) => "refused: something still refers to the frame",
        }
    }

    /// The frame, level or address that the reason is about.
    pub const fn subject(&self) -> u64 {
        match self {
            Self::NoSuchFrame(frame)
            | Self::ForeignFrame(frame)
            | Self::Unallocated(frame)
            | Self::TypeConflict { frame, .. }
            | Self::LargeLeaf { frame }
            | Self::AlreadyPinned(frame)
            | Self::NotPinned(frame)
            | Self::StillReferred(frame) => frame.0 as u64,
            Self::NoSuchLevel(level) => *level as u64,
            Self::NoLowestTable { va } => *va,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TypeConflict { frame, found, wanted } => {
                write!(f, "refused: {frame} is in use as {found}, and was to be {wanted}")
            }
            Self::NoLowestTable { va } => write!(f, "{} {va:#x}", self.reason()),
            Self::NoSuchLevel(level) => write!(f, "{} {level}, expected 1 to 4", self.reason()),
            _ => write!(f, "{}: f{}", self.reason(), self.subject()),
        }
    }
}

impl std::error::Error for Refusal {}
