//! User addresses as operands. A story names the pages of an address space by numbers; where they lie is the kernel's layout,
//! the same on every backend.

use core::fmt;

use super::{MmSlot, ObjectSlot, PinSlot};

/// How many pages of each address space stories name, from 0 on. Their addresses grow with the numbers, with gaps between some.
pub const USER_PAGES: u8 = 16;

/// The most pages of a range of user addresses.
pub const MAX_RANGE: u8 = 8;

/// A page of an address space (`m0:5`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserPage {
    /// The address space.
    pub mm: MmSlot,
    /// The number of the page, below [`USER_PAGES`].
    pub page: u8,
}

impl fmt::Display for UserPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.mm, self.page)
    }
}

/// Pages of an address space that follow each other (`m0:5+2`). The range covers the gaps between them too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserRange {
    /// The address space.
    pub mm: MmSlot,
    /// The number of the first page.
    pub page: u8,
    /// How many, 1 to [`MAX_RANGE`]; once resolved none is beyond [`USER_PAGES`].
    pub count: u8,
}

impl UserRange {
    /// The numbers of its pages.
    pub fn pages(self) -> core::ops::Range<u8> {
        self.page..(self.page + self.count).min(USER_PAGES)
    }

    /// Whether a page is one of them.
    pub const fn covers(self, at: UserPage) -> bool {
        self.mm.number() == at.mm.number() && self.page <= at.page && at.page < self.page + self.count
    }
}

/// Where the first page of a range moves to, by its number in the same address space (`to :6`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Destination(pub u8);

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to :{}", self.0)
    }
}

impl UserRange {
    /// The pages that move, and those that they become: no page moves beyond the last. None where the two overlap.
    pub fn moved(self, Destination(to): Destination) -> Option<(Self, Self)> {
        let count = self.count.min(USER_PAGES - self.page).min(USER_PAGES - to);
        let far = self.page.abs_diff(to) >= count;
        far.then_some((Self { count, ..self }, Self { page: to, count, ..self }))
    }
}

impl fmt::Display for UserRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}+{}", self.mm, self.page, self.count)
    }
}

/// What lies behind a mapping of user addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backing {
    /// Memory of the address space's own, which begins as zeroes.
    Anonymous,
    /// Pages of an object from this one on; writes go to the object.
    Shared(ObjectPage),
    /// Pages of an object from this one on; the first write to a page gives the address space a copy of its own.
    Private(ObjectPage),
}

impl Backing {
    /// The first page of the object, if there is one.
    pub const fn object(self) -> Option<ObjectPage> {
        match self {
            Self::Anonymous => None,
            Self::Shared(from) | Self::Private(from) => Some(from),
        }
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Shared(from) => write!(f, "shared {from}"),
            Self::Private(from) => write!(f, "private {from}"),
        }
    }
}

/// A page of an object (`o0+1`). An object has no page beyond its length; what is mapped there faults.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectPage {
    /// The object.
    pub object: ObjectSlot,
    /// The number of the page, 0 to 3.
    pub page: u8,
}

impl fmt::Display for ObjectPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.object, self.page)
    }
}

/// What a mapping lets user code do, or for what a page is pinned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UserAccess {
    /// Read.
    Readable,
    /// Read and write.
    Writable,
}

impl UserAccess {
    /// Every access, the lesser first.
    pub const ALL: [Self; 2] = [Self::Readable, Self::Writable];

    /// The word in stories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Writable => "writable",
        }
    }

    /// Whether it is one to write.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Writable)
    }
}

impl fmt::Display for UserAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A page that was pinned (`g0+1`), counted from the first page of the range that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PinnedPage {
    /// The pins.
    pub pins: PinSlot,
    /// The number of the page; below the length of the range once resolved. The kernel may have pinned fewer.
    pub page: u8,
}

impl fmt::Display for PinnedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.pins, self.page)
    }
}
