//! What can be asked of a kernel, and what it may answer.
//!
//! Operands are *slots*: names that a caller of the kernel holds for what it was given. A slot is the only way in
//! which a story, the reference and a kernel speak of the same thing; addresses and frame numbers differ from
//! backend to backend and are never compared.

mod mm;
mod owned;

use core::fmt;

pub mod astray;

pub use astray::RawCall;
pub use mm::{MmCall, Root};
pub use owned::{Access, MemoryType, Owned};

/// How many slots of each kind there are.
pub const SLOTS: u8 = 16;

macro_rules! slot {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The letter that the text form writes before the number.
            pub const LETTER: char = $letter;

            /// The slot of this number, which wraps at [`SLOTS`].
            #[inline]
            pub const fn new(number: u8) -> Self {
                Self(number % SLOTS)
            }

            /// The number, from 0 to [`SLOTS`] - 1.
            #[inline]
            pub const fn number(self) -> u8 {
                self.0
            }

            /// The number as an index.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", Self::LETTER, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

slot! {
    /// A page that a caller allocated (`p3`).
    PageSlot, 'p'
}
slot! {
    /// An area that vmap returned (`a5`).
    AreaSlot, 'a'
}
slot! {
    /// A small mapping that `vm_map_ram` returned (`r2`).
    RamSlot, 'r'
}

slot! {
    /// A buffer for DMA (`b1`).
    BufferSlot, 'b'
}

slot! {
    /// A tree of page tables that `pin-tree` made (`t0`).
    TreeSlot, 't'
}

slot! {
    /// An address space that `new-mm` made (`m0`).
    MmSlot, 'm'
}

/// At most so many pages are mapped by one operation, or make one tree of tables.
pub const MAX_PAGES: usize = 8;

/// The pages that a mapping is made of, in order and each once (`p0+2`: two pages, from slot 0 on).
///
/// A resolved list holds exactly the slots that are mapped: the live ones found from the first slot on, wrapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageList {
    slots: [PageSlot; MAX_PAGES],
    len: u8,
}

impl PageList {
    /// No pages.
    pub const EMPTY: Self = Self { slots: [PageSlot::new(0); MAX_PAGES], len: 0 };

    /// A list of these pages, at most [`MAX_PAGES`] of them; the rest is dropped.
    pub fn new(pages: impl IntoIterator<Item = PageSlot>) -> Self {
        let mut list = Self::EMPTY;
        for page in pages.into_iter().take(MAX_PAGES) {
            list.slots[usize::from(list.len)] = page;
            list.len += 1;
        }
        list
    }

    /// How many pages.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pages in the order of their addresses.
    #[inline]
    pub fn as_slice(&self) -> &[PageSlot] {
        &self.slots[..self.len()]
    }
}

impl fmt::Display for PageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, page) in self.as_slice().iter().enumerate() {
            write!(f, "{}{page}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for PageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

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

/// What a write leaves behind and a read finds: a name for the write, never used twice in a story. 0 is the
/// content of a page fresh from the allocator, which zeroes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u32);

impl Token {
    /// The content of a page that nobody wrote since it was allocated.
    pub const ZERO: Self = Self(0);
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One thing asked of a kernel by a caller, on one CPU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// Allocate one zeroed page.
    AllocPage {
        /// The handle for it.
        page: PageSlot,
    },
    /// Give a page back. The caller holds no mapping of it.
    FreePage {
        /// The page.
        page: PageSlot,
    },
    /// Map pages into one range of kernel addresses, readable and writable, and not executable.
    Vmap {
        /// The pages, in order.
        pages: PageList,
        /// The handle for the area.
        area: AreaSlot,
    },
    /// Unmap an area; its translations may linger until a drain or until its range is reused.
    Vunmap {
        /// The area.
        area: AreaSlot,
    },
    /// Map a few pages through the per-CPU blocks.
    MapRam {
        /// The pages, in order.
        pages: PageList,
        /// The handle for the mapping.
        ram: RamSlot,
    },
    /// Unmap what [`Operation::MapRam`] mapped; lazily, as vunmap.
    UnmapRam {
        /// The mapping.
        ram: RamSlot,
    },
    /// `vm_unmap_aliases`: afterwards no alias is left that was unmapped before the call.
    DrainAliases,
    /// Read the page's word through a kernel mapping.
    Read {
        /// Where.
        place: Place,
    },
    /// Write the page's word through a kernel mapping.
    Write {
        /// Where.
        place: Place,
        /// What.
        token: Token,
    },
    /// The page becomes a page table (the lowest level, empty), as for a process under construction.
    MakeTable {
        /// The page.
        page: PageSlot,
    },
    /// The table becomes an ordinary page again, zeroed.
    UnmakeTable {
        /// The page.
        page: PageSlot,
    },
    /// `dma_alloc_coherent`, of pages that the caller has and that nothing maps: they become a buffer, zeroed, which a
    /// device reaches too, and are mapped for the CPUs.
    DmaAlloc {
        /// The pages, in order.
        pages: PageList,
        /// The handle for the buffer.
        buffer: BufferSlot,
        /// The device that it is for.
        device: Device,
    },
    /// `dma_free_coherent`: the mapping goes, lazily as by vunmap, and the pages are ordinary ones again, zeroed. The
    /// caller has no other mapping of them.
    DmaFree {
        /// The buffer.
        buffer: BufferSlot,
    },
    /// The device reads the word of a page by its bus address. No CPU takes part.
    DeviceRead {
        /// The buffer.
        buffer: BufferSlot,
        /// Pages from its start; below its length once resolved.
        page: u8,
    },
    /// The device writes the word of a page by its bus address. No CPU takes part.
    DeviceWrite {
        /// The buffer.
        buffer: BufferSlot,
        /// Pages from its start; below its length once resolved.
        page: u8,
        /// What.
        token: Token,
    },
    /// The owner of a page sets a flag of its own in the page's flags word. Others may map and unmap the page meanwhile;
    /// its owner does not give it away.
    SetPageFlag {
        /// The page.
        page: PageSlot,
    },
    /// A process is constructed: the pages become a tree of page tables, the first its root, and become tables together.
    PinTree {
        /// The pages, the root first.
        pages: PageList,
        /// The handle for the tree.
        tree: TreeSlot,
    },
    /// The tree is taken apart: its pages are ordinary pages again, zeroed.
    UnpinTree {
        /// The tree.
        tree: TreeSlot,
    },
    /// From now on the kernel keeps account of which pages have aliases, if it is built to do so on request.
    TrackAliases,
    /// A hypercall of the caller's own, behind the kernel's back.
    Raw(RawCall),
    /// An area that owns its pages is made, changed, used or freed.
    Owned(Owned),
    /// An address space is made, loaded or dropped.
    Mm(MmCall),
}

impl Operation {
    /// The words by which stories and headlines name the operations, in the order in which they came to the vocabulary.
    pub const NAMES: [&str; 41] = [
        "alloc-page",
        "free-page",
        "vmap",
        "vunmap",
        "map-ram",
        "unmap-ram",
        "drain-aliases",
        "read",
        "write",
        "make-table",
        "unmake-table",
        "dma-alloc",
        "dma-free",
        "device-read",
        "device-write",
        "set-page-flag",
        "pin-tree",
        "unpin-tree",
        "track-aliases",
        RawCall::NAMES[0],
        RawCall::NAMES[1],
        RawCall::NAMES[2],
        RawCall::NAMES[3],
        RawCall::NAMES[4],
        RawCall::NAMES[5],
        RawCall::NAMES[6],
        Owned::NAMES[0],
        Owned::NAMES[1],
        Owned::NAMES[2],
        Owned::NAMES[3],
        Owned::NAMES[4],
        Owned::NAMES[5],
        Owned::NAMES[6],
        Owned::NAMES[7],
        Owned::NAMES[8],
        Owned::NAMES[9],
        Owned::NAMES[10],
        MmCall::NAMES[0],
        MmCall::NAMES[1],
        MmCall::NAMES[2],
        "dma-alloc-wide",
    ];

    /// Where the operation is in [`Self::NAMES`].
    pub const fn index(&self) -> usize {
        match self {
            Self::AllocPage { .. } => 0,
            Self::FreePage { .. } => 1,
            Self::Vmap { .. } => 2,
            Self::Vunmap { .. } => 3,
            Self::MapRam { .. } => 4,
            Self::UnmapRam { .. } => 5,
            Self::DrainAliases => 6,
            Self::Read { .. } => 7,
            Self::Write { .. } => 8,
            Self::MakeTable { .. } => 9,
            Self::UnmakeTable { .. } => 10,
            Self::DmaAlloc { device: Device::Narrow, .. } => 11,
            Self::DmaFree { .. } => 12,
            Self::DeviceRead { .. } => 13,
            Self::DeviceWrite { .. } => 14,
            Self::SetPageFlag { .. } => 15,
            Self::PinTree { .. } => 16,
            Self::UnpinTree { .. } => 17,
            Self::TrackAliases => 18,
            Self::Raw(call) => 19 + call.index(),
            Self::Owned(owned) => 26 + owned.index(),
            Self::Mm(call) => 37 + call.index(),
            Self::DmaAlloc { device: Device::Wide, .. } => 40,
        }
    }

    /// Whether a device does it, and no CPU.
    pub const fn is_of_a_device(&self) -> bool {
        matches!(self, Self::DeviceRead { .. } | Self::DeviceWrite { .. })
    }

    /// The word by which stories and headlines name it.
    pub const fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::AllocPage { page }
            | Self::FreePage { page }
            | Self::MakeTable { page }
            | Self::UnmakeTable { page }
            | Self::SetPageFlag { page } => write!(f, " {page}"),
            Self::PinTree { pages, tree } => write!(f, " {pages} -> {tree}"),
            Self::UnpinTree { tree } => write!(f, " {tree}"),
            Self::Vmap { pages, area } => write!(f, " {pages} -> {area}"),
            Self::Vunmap { area } => write!(f, " {area}"),
            Self::MapRam { pages, ram } => write!(f, " {pages} -> {ram}"),
            Self::UnmapRam { ram } => write!(f, " {ram}"),
            Self::DrainAliases | Self::TrackAliases => Ok(()),
            Self::Raw(call) => call.fmt(f),
            Self::Read { place } => write!(f, " {place}"),
            Self::Write { place, token } => write!(f, " {place} = {token}"),
            Self::DmaAlloc { pages, buffer, .. } => write!(f, " {pages} -> {buffer}"),
            Self::DmaFree { buffer } => write!(f, " {buffer}"),
            Self::DeviceRead { buffer, page } => write!(f, " {buffer}+{page}"),
            Self::DeviceWrite { buffer, page, token } => write!(f, " {buffer}+{page} = {token}"),
            Self::Owned(owned) => owned.fmt(f),
            Self::Mm(call) => call.fmt(f),
        }
    }
}

/// An operation and the context in which its caller stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// What is asked.
    pub operation: Operation,
    /// The caller has disabled interrupts on its CPU for the whole call.
    pub irqs_off: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.operation, if self.irqs_off { " irqs-off" } else { "" })
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

/// Pages of a segment: so many that follow each other a device takes at once. It is told where each segment begins and
/// finds the rest of it by itself; the last one of a buffer may be shorter.
pub const SEGMENT: usize = 2;

/// The device that a buffer is for, by how much memory it can address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Device {
    /// It reaches the frames below a limit, which depends on the backend.
    Narrow,
    /// It reaches every frame.
    Wide,
}

/// What a driver is told of a buffer: where CPUs see it, and where its device does. Only checks that read the machine look at
/// it; it is never compared between backends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Coherent {
    /// Where CPUs see it.
    pub range: Range,
    /// The bus address of each segment, in pages; of those that it does not have, 0.
    pub segments: [u32; MAX_PAGES.div_ceil(SEGMENT)],
}

impl Coherent {
    /// Where the device finds the pages, in their order: bus addresses, in pages.
    pub fn bus(&self) -> impl Iterator<Item = u32> {
        let of_segment = |first: u32| (first..).take(SEGMENT);
        self.segments.into_iter().flat_map(of_segment).take(self.range.pages.into())
    }
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It was done, and there is nothing else to say.
    Done,
    /// It was done, and the mapping lies here.
    Mapped(Range),
    /// It was done, and this is the buffer.
    Buffer(Coherent),
    /// A read found this.
    Value(Token),
    /// The access raised a page fault.
    Fault,
    /// There was no memory, or no hole in the address space.
    NoMemory,
    /// It would have to sleep or to wait for other CPUs, and its caller had interrupts off. Nothing was changed.
    WouldSleep,
    /// The hypervisor refused something, and the kernel had no answer to it.
    Refused,
    /// Not attempted: the handle that it needs was never obtained on this backend, for a legitimate reason.
    Void,
}

impl Outcome {
    /// Where the mapping lies that was made, if one was.
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
            Self::Value(token) => write!(f, "{token}"),
            Self::Fault => f.write_str("fault"),
            Self::NoMemory => f.write_str("no-memory"),
            Self::WouldSleep => f.write_str("would-sleep"),
            Self::Refused => f.write_str("refused"),
            Self::Void => f.write_str("void"),
        }
    }
}
