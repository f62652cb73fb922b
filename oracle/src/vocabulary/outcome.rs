//! What a kernel answers.

use core::fmt;

use super::MAX_PAGES;

/// What a write leaves behind and a read finds: a name for the write, never used twice in a story. The allocator zeroes, so
/// a fresh page holds 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u32);

impl Token {
    /// The content of a page that no CPU and no device has written since its allocation.
    pub const ZERO: Self = Self(0);
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a kernel put a mapping. Only checks that read the machine look at it; it is never compared between
/// backends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    /// Virtual address of the first page, in bytes.
    pub start: u64,
    /// Length in pages, guard page not counted.
    pub pages: u8,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}+{}", self.start, self.pages)
    }
}

/// Pages of a segment, whose frames follow each other. A driver tells its device where each segment begins, and the device
/// finds the rest by itself. The last segment of a buffer may be shorter.
pub const SEGMENT: usize = 2;

/// What the kernel tells a driver of a buffer: where CPUs see it, and where its device does. Only checks that read the
/// machine look at it; it is never compared between backends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Coherent {
    /// Where CPUs see it.
    pub range: Range,
    /// The bus address of each segment, in pages; 0 for segments that the buffer does not have.
    pub segments: [u32; MAX_PAGES.div_ceil(SEGMENT)],
}

impl Coherent {
    /// Where the device finds the pages, in order: bus addresses, in pages.
    pub fn bus(&self) -> impl Iterator<Item = u32> {
        let of_segment = |first: u32| (first..).take(SEGMENT);
        self.segments.into_iter().flat_map(of_segment).take(self.range.pages.into())
    }
}

/// The pages that the kernel pinned, from the first of the range on. Only checks that read the machine look at the frames;
/// they are never compared between backends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pinned {
    /// How many.
    pub count: u8,
    /// The frames behind them; 0 for pages that were not pinned.
    pub frames: [u32; MAX_PAGES],
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// The kernel did it, and there is nothing else to say.
    Done,
    /// The kernel did it, and the mapping lies here.
    Mapped(Range),
    /// The kernel did it, and this is the buffer.
    Buffer(Coherent),
    /// The kernel pinned these pages, which may be fewer than its caller asked for.
    Pinned(Pinned),
    /// A read found this.
    Value(Token),
    /// The access raised a page fault.
    Fault,
    /// There was no memory, or no hole in the address space.
    NoMemory,
    /// The kernel would have to sleep or to wait for other CPUs, and the caller has interrupts off. It changed nothing.
    WouldSleep,
    /// The hypervisor refused something, and the kernel had no answer to it.
    Refused,
    /// The kernel was not asked: this backend never gave the handle that the operation needs, for a legitimate reason.
    Void,
}

impl Outcome {
    /// Whether the operation gave what its caller asked for.
    pub const fn gives(&self) -> bool {
        matches!(self, Self::Done | Self::Mapped(_) | Self::Buffer(_) | Self::Pinned(_) | Self::Value(_))
    }

    /// Where the mapping lies that the operation made, if it made one.
    pub const fn range(&self) -> Option<Range> {
        match self {
            Self::Mapped(range) | Self::Buffer(Coherent { range, .. }) => Some(*range),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Mapped(range) | Self::Buffer(Coherent { range, .. }) => write!(f, "mapped at {range}"),
            Self::Pinned(Pinned { count, .. }) => write!(f, "pinned {count}"),
            Self::Value(token) => write!(f, "{token}"),
            Self::Fault => f.write_str("fault"),
            Self::NoMemory => f.write_str("no-memory"),
            Self::WouldSleep => f.write_str("would-sleep"),
            Self::Refused => f.write_str("refused"),
            Self::Void => f.write_str("void"),
        }
    }
}
