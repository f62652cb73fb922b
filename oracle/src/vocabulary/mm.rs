//! Address spaces as operands: what a CPU loads. Only their kernel half matters here. It is the same in all of them; how a
//! kernel achieves that is its own affair.

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
