//! Address spaces: made, loaded and dropped. Only their kernel half matters here, and it is the same in all of them,
//! whatever a kernel has to do for that.

use core::fmt;

use super::MmSlot;

/// What a CPU loads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Root {
    /// The kernel's own address space (`init_mm`), in which every CPU begins.
    Init,
    /// Another one.
    Mm(MmSlot),
}

impl Root {
    /// The address space, if it is not the kernel's own.
    pub const fn mm(self) -> Option<MmSlot> {
        match self {
            Self::Init => None,
            Self::Mm(mm) => Some(mm),
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => f.write_str("init"),
            Self::Mm(mm) => mm.fmt(f),
        }
    }
}

/// One thing asked of the address spaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MmCall {
    /// Make an address space, its user half empty.
    New {
        /// The handle for it.
        mm: MmSlot,
    },
    /// The CPU loads an address space and stays in it until it loads another, or until that is dropped.
    Switch {
        /// Which.
        to: Root,
    },
    /// Take an address space apart. CPUs that are in it are taken to the kernel's own; nobody is on the way into it.
    Drop {
        /// Which.
        mm: MmSlot,
    },
}

impl MmCall {
    /// The words by which stories and headlines name the operations.
    pub const NAMES: [&str; 3] = ["new-mm", "switch-mm", "drop-mm"];

    /// Where the operation is in [`Self::NAMES`].
    pub const fn index(self) -> usize {
        match self {
            Self::New { .. } => 0,
            Self::Switch { .. } => 1,
            Self::Drop { .. } => 2,
        }
    }
}

impl fmt::Display for MmCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { mm } => write!(f, " -> {mm}"),
            Self::Switch { to } => write!(f, " {to}"),
            Self::Drop { mm } => write!(f, " {mm}"),
        }
    }
}
