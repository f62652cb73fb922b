//! The tags of records and the words of the text form, in one table.
//!
//! Tags are stored in files: a tag is never renumbered and never reused. A byte that is no tag stands for one of
//! [`Tag::STAND_INS`], which may change at any time: what [`Story::encode`](super::Story::encode) writes holds
//! proper tags only, so its meaning is not touched when a tag is added. Designs are no stand-in: a story is about what
//! the defaults do unless somebody means otherwise.

use oracle::vocabulary::astray::RawCall;
use oracle::vocabulary::{Access, Device, MemoryType, MmCall, Owned};

use super::{Action, Verb};

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $word:expr;)*) => {
        /// What a record is.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Tag {
            $($(#[$doc])* $name = $number,)*
        }

        impl Tag {
            /// Every tag, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word that begins it in the text form.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The tag of this number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    /// [`Verb::AllocPage`].
    AllocPage = 1, "alloc-page";
    /// [`Verb::FreePage`].
    FreePage = 2, "free-page";
    /// [`Verb::Vmap`].
    Vmap = 3, "vmap";
    /// [`Verb::Vunmap`].
    Vunmap = 4, "vunmap";
    /// [`Verb::MapRam`].
    MapRam = 5, "map-ram";
    /// [`Verb::UnmapRam`].
    UnmapRam = 6, "unmap-ram";
    /// [`Verb::DrainAliases`].
    DrainAliases = 7, "drain-aliases";
    /// [`Verb::Read`].
    Read = 8, "read";
    /// [`Verb::Write`].
    Write = 9, "write";
    /// [`Verb::MakeTable`].
    MakeTable = 10, "make-table";
    /// [`Verb::UnmakeTable`].
    UnmakeTable = 11, "unmake-table";
    /// [`Verb::SetPageFlag`].
    SetPageFlag = 12, "set-page-flag";
    /// [`Verb::PinTree`].
    PinTree = 13, "pin-tree";
    /// [`Verb::UnpinTree`].
    UnpinTree = 14, "unpin-tree";
    /// [`Verb::TrackAliases`].
    TrackAliases = 15, "track-aliases";
    /// [`Verb::DmaAlloc`], for a device that reaches no frame from a limit on.
    DmaAlloc = 16, "dma-alloc";
    /// [`Verb::DmaFree`].
    DmaFree = 17, "dma-free";
    /// [`Verb::DeviceRead`].
    DeviceRead = 18, "device-read";
    /// [`Verb::DeviceWrite`].
    DeviceWrite = 19, "device-write";
    /// [`RawCall::Update`].
    HvUpdate = 20, RawCall::NAMES[0];
    /// [`RawCall::Pin`].
    HvPin = 21, RawCall::NAMES[1];
    /// [`RawCall::Unpin`].
    HvUnpin = 22, RawCall::NAMES[2];
    /// [`RawCall::Exchange`].
    HvExchange = 23, RawCall::NAMES[5];
    /// [`RawCall::Write`].
    HvWrite = 24, RawCall::NAMES[3];
    /// [`RawCall::Flush`].
    HvFlush = 25, RawCall::NAMES[4];
    /// [`RawCall::UpdateVa`].
    HvUpdateVa = 26, RawCall::NAMES[6];
    /// [`Owned::Vmalloc`].
    Vmalloc = 28, "vmalloc";
    /// [`Owned::SetMemory`] to [`Access::ReadOnly`].
    SetMemoryRo = 29, "set-memory-ro";
    /// [`Owned::SetMemory`] to [`Access::ReadExecute`].
    SetMemoryRox = 30, "set-memory-rox";
    /// [`Owned::SetMemory`] to [`Access::ReadWrite`].
    SetMemoryRw = 31, "set-memory-rw";
    /// [`Owned::Vfree`].
    Vfree = 32, "vfree";
    /// [`Owned::Exec`].
    Exec = 33, "exec";
    /// [`Owned::ReadDirect`].
    ReadDirect = 34, "read-direct";
    /// [`Owned::WriteDirect`].
    WriteDirect = 35, "write-direct";
    /// [`Owned::Vmalloc`], of a page of 2 MiB if the kernel can.
    VmallocHuge = 36, "vmalloc-huge";
    /// [`Owned::SetMemoryType`] to [`MemoryType::WriteCombining`].
    SetMemoryWc = 37, "set-memory-wc";
    /// [`Owned::SetMemoryType`] to [`MemoryType::WriteBack`].
    SetMemoryWb = 38, "set-memory-wb";
    /// [`MmCall::New`].
    NewMm = 40, MmCall::NAMES[0];
    /// [`MmCall::Switch`].
    SwitchMm = 41, MmCall::NAMES[1];
    /// [`MmCall::Drop`].
    DropMm = 42, MmCall::NAMES[2];
    /// [`Verb::DmaAlloc`], for a device that reaches all memory.
    DmaAllocWide = 43, "dma-alloc-wide";
    /// [`Action::Continue`].
    Continue = 128, "continue";
    /// [`Action::Deliver`].
    Deliver = 129, "deliver";
    /// [`Action::Fill`].
    Fill = 130, "fill";
    /// [`Action::DrainStores`].
    DrainStores = 131, "drain-stores";
    /// [`Action::GracePeriod`].
    GracePeriod = 132, "grace-period";
    /// [`Action::RunWork`].
    RunWork = 133, "run-work";
    /// [`Action::Touch`].
    Touch = 134, "touch";
    /// A pause by number, up to 255, of the event before.
    PauseAt = 192, "pause";
    /// A pause by any number, of the event before.
    PauseAtFar = 193, "pause";
    /// A pause by name, of the event before.
    PauseBefore = 194, "pause";
    /// Designs of the header.
    Designs = 195, "designs";
}

impl Tag {
    /// What bytes that are no tag stand for: everything but pauses so far away that nothing reaches them.
    pub const STAND_INS: [Self; 50] = [
        Self::AllocPage,
        Self::FreePage,
        Self::Vmap,
        Self::Vunmap,
        Self::MapRam,
        Self::UnmapRam,
        Self::DrainAliases,
        Self::Read,
        Self::Write,
        Self::MakeTable,
        Self::UnmakeTable,
        Self::SetPageFlag,
        Self::PinTree,
        Self::UnpinTree,
        Self::TrackAliases,
        Self::HvUpdate,
        Self::HvPin,
        Self::HvUnpin,
        Self::HvWrite,
        Self::HvFlush,
        Self::HvExchange,
        Self::HvUpdateVa,
        Self::Continue,
        Self::Deliver,
        Self::Fill,
        Self::DrainStores,
        Self::GracePeriod,
        Self::RunWork,
        Self::PauseAt,
        Self::PauseBefore,
        Self::DmaAlloc,
        Self::DmaFree,
        Self::DeviceRead,
        Self::DeviceWrite,
        Self::Touch,
        Self::Vmalloc,
        Self::SetMemoryRo,
        Self::SetMemoryRox,
        Self::SetMemoryRw,
        Self::Vfree,
        Self::Exec,
        Self::ReadDirect,
        Self::WriteDirect,
        Self::VmallocHuge,
        Self::NewMm,
        Self::SwitchMm,
        Self::DropMm,
        Self::SetMemoryWc,
        Self::SetMemoryWb,
        Self::DmaAllocWide,
    ];

    /// The number that the bytes of a story hold.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What a byte stands for.
    pub fn of(byte: u8) -> Self {
        Self::from_number(byte).unwrap_or_else(|| Self::STAND_INS[usize::from(byte) % Self::STAND_INS.len()])
    }

    /// The tag of the event that this word begins.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tag| tag.word() == word && tag.is_event())
    }

    /// Whether the record is an event of its own.
    pub const fn is_event(self) -> bool {
        !self.is_pause() && !matches!(self, Self::Designs)
    }

    /// Whether the record is an operation of the kernels.
    pub(super) const fn is_call(self) -> bool {
        self.number() < 128
    }

    /// Whether it is a hypercall of a caller's own: short, and with few places where others matter.
    pub(super) const fn is_raw(self) -> bool {
        matches!(
            self,
            Self::HvUpdate
                | Self::HvPin
                | Self::HvUnpin
                | Self::HvWrite
                | Self::HvFlush
                | Self::HvExchange
                | Self::HvUpdateVa
        )
    }

    /// Whether the event happens on no CPU, and stands on a line without one.
    pub const fn is_on_no_cpu(self) -> bool {
        matches!(self, Self::GracePeriod | Self::DeviceRead | Self::DeviceWrite | Self::Touch)
    }

    /// The tag of an operation on an area that owns its pages.
    const fn of_owned(owned: Owned) -> Self {
        match owned {
            Owned::Vmalloc { huge: false, .. } => Self::Vmalloc,
            Owned::Vmalloc { huge: true, .. } => Self::VmallocHuge,
            Owned::SetMemoryType { memory_type: MemoryType::WriteCombining, .. } => Self::SetMemoryWc,
            Owned::SetMemoryType { memory_type: MemoryType::WriteBack, .. } => Self::SetMemoryWb,
            Owned::SetMemory { access: Access::ReadOnly, .. } => Self::SetMemoryRo,
            Owned::SetMemory { access: Access::ReadExecute, .. } => Self::SetMemoryRox,
            Owned::SetMemory { access: Access::ReadWrite, .. } => Self::SetMemoryRw,
            Owned::Vfree { .. } => Self::Vfree,
            Owned::Exec { .. } => Self::Exec,
            Owned::ReadDirect { .. } => Self::ReadDirect,
            Owned::WriteDirect { .. } => Self::WriteDirect,
        }
    }

    /// The device that a buffer is for, if the operation makes one.
    pub const fn device(self) -> Option<Device> {
        match self {
            Self::DmaAlloc => Some(Device::Narrow),
            Self::DmaAllocWide => Some(Device::Wide),
            _ => None,
        }
    }

    /// What an operation makes of an area's permissions, if it changes them.
    pub const fn access(self) -> Option<Access> {
        match self {
            Self::SetMemoryRo => Some(Access::ReadOnly),
            Self::SetMemoryRox => Some(Access::ReadExecute),
            Self::SetMemoryRw => Some(Access::ReadWrite),
            _ => None,
        }
    }

    /// What an operation makes of an area's memory type, if it changes that.
    pub const fn memory_type(self) -> Option<MemoryType> {
        match self {
            Self::SetMemoryWc => Some(MemoryType::WriteCombining),
            Self::SetMemoryWb => Some(MemoryType::WriteBack),
            _ => None,
        }
    }

    /// Whether the record modifies the event before it.
    pub const fn is_pause(self) -> bool {
        matches!(self, Self::PauseAt | Self::PauseAtFar | Self::PauseBefore)
    }
}

impl Action {
    /// The tag of its record.
    pub const fn tag(&self) -> Tag {
        match self {
            Self::Call { verb, .. } => verb.tag(),
            Self::Continue => Tag::Continue,
            Self::Deliver { .. } => Tag::Deliver,
            Self::Fill { .. } => Tag::Fill,
            Self::DrainStores { .. } => Tag::DrainStores,
            Self::GracePeriod => Tag::GracePeriod,
            Self::RunWork => Tag::RunWork,
            Self::Touch => Tag::Touch,
        }
    }
}

impl Verb {
    /// The tag of its record.
    pub const fn tag(&self) -> Tag {
        match self {
            Self::AllocPage { .. } => Tag::AllocPage,
            Self::FreePage { .. } => Tag::FreePage,
            Self::Vmap { .. } => Tag::Vmap,
            Self::Vunmap { .. } => Tag::Vunmap,
            Self::MapRam { .. } => Tag::MapRam,
            Self::UnmapRam { .. } => Tag::UnmapRam,
            Self::DrainAliases => Tag::DrainAliases,
            Self::Read { .. } => Tag::Read,
            Self::Write { .. } => Tag::Write,
            Self::MakeTable { .. } => Tag::MakeTable,
            Self::UnmakeTable { .. } => Tag::UnmakeTable,
            Self::DmaAlloc { device: Device::Narrow, .. } => Tag::DmaAlloc,
            Self::DmaAlloc { device: Device::Wide, .. } => Tag::DmaAllocWide,
            Self::DmaFree { .. } => Tag::DmaFree,
            Self::DeviceRead { .. } => Tag::DeviceRead,
            Self::DeviceWrite { .. } => Tag::DeviceWrite,
            Self::SetPageFlag { .. } => Tag::SetPageFlag,
            Self::PinTree { .. } => Tag::PinTree,
            Self::UnpinTree { .. } => Tag::UnpinTree,
            Self::TrackAliases => Tag::TrackAliases,
            Self::Raw(RawCall::Update { .. }) => Tag::HvUpdate,
            Self::Raw(RawCall::Pin { .. }) => Tag::HvPin,
            Self::Raw(RawCall::Unpin { .. }) => Tag::HvUnpin,
            Self::Raw(RawCall::Write { .. }) => Tag::HvWrite,
            Self::Raw(RawCall::Flush) => Tag::HvFlush,
            Self::Raw(RawCall::Exchange { .. }) => Tag::HvExchange,
            Self::Raw(RawCall::UpdateVa { .. }) => Tag::HvUpdateVa,
            Self::Owned(owned) => Tag::of_owned(*owned),
            Self::Mm(MmCall::New { .. }) => Tag::NewMm,
            Self::Mm(MmCall::Switch { .. }) => Tag::SwitchMm,
            Self::Mm(MmCall::Drop { .. }) => Tag::DropMm,
        }
    }
}
