//! Points: the shared accesses at which one CPU can overtake another, and the pauses that stories put there.

use bitflags::bitflags;

/// What kind of access a point is.
///
/// Stories hold the discriminants: they are never renumbered and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum PointKind {
    /// A plain load.
    Load = 0,
    /// A plain store, which may wait in the store buffer.
    Store = 1,
    /// A locked read-modify-write, which drains the store buffer.
    Locked = 2,
    /// A full fence.
    Fence = 3,
    /// INVLPG.
    Invlpg = 4,
    /// INVPCID.
    Invpcid = 5,
    /// A load of CR3.
    Cr3 = 6,
    /// A flush of everything, global entries too (CR4.PGE toggled).
    FlushAll = 7,
    /// An interrupt sent to another CPU.
    Ipi = 8,
    /// A wait for a condition.
    Wait = 9,
    /// A read through the MMU.
    Read = 10,
    /// A write through the MMU.
    Write = 11,
    /// CLI.
    IrqOff = 12,
    /// STI.
    IrqOn = 13,
    /// A change of a frame's role.
    Role = 14,
    /// A trap of the guest into the hypervisor.
    Hypercall = 15,
    /// A return of the hypervisor to the guest.
    Return = 16,
    /// A fetch of an instruction through the MMU.
    Fetch = 17,
    /// INVLPGB.
    Invlpgb = 18,
    /// TLBSYNC.
    Tlbsync = 19,
}

impl PointKind {
    /// Every kind, in the order of the tags.
    pub const ALL: [Self; 20] = [
        Self::Load,
        Self::Store,
        Self::Locked,
        Self::Fence,
        Self::Invlpg,
        Self::Invpcid,
        Self::Cr3,
        Self::FlushAll,
        Self::Ipi,
        Self::Wait,
        Self::Read,
        Self::Write,
        Self::IrqOff,
        Self::IrqOn,
        Self::Role,
        Self::Hypercall,
        Self::Return,
        Self::Fetch,
        Self::Invlpgb,
        Self::Tlbsync,
    ];

    /// The kind of this tag.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag)).copied()
    }

    /// The tag that the bytes of a story hold.
    pub const fn tag(self) -> u8 {
        self as u8
    }

    /// The word that the text of a story holds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Locked => "locked",
            Self::Fence => "fence",
            Self::Invlpg => "invlpg",
            Self::Invpcid => "invpcid",
            Self::Cr3 => "cr3",
            Self::FlushAll => "flush-all",
            Self::Ipi => "ipi",
            Self::Wait => "wait",
            Self::Read => "read",
            Self::Write => "write",
            Self::IrqOff => "irq-off",
            Self::IrqOn => "irq-on",
            Self::Role => "role",
            Self::Hypercall => "hypercall",
            Self::Return => "return",
            Self::Fetch => "fetch",
            Self::Invlpgb => "invlpgb",
            Self::Tlbsync => "tlbsync",
        }
    }
}

/// Which variables belong together: all locks of one kind, all entries of one level. A stable tag, declared beside the
/// variables that it names; 0 to 15 are the machine's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Family(pub u8);

impl Family {
    /// A point that touches no variable.
    pub const NONE: Self = Self(0);
    /// An entry of a lowest-level table.
    pub const PTE: Self = Self(1);
    /// An entry of a level-2 table.
    pub const PMD: Self = Self(2);
    /// An entry of a level-3 table.
    pub const PUD: Self = Self(3);
    /// An entry of a level-4 table.
    pub const PGD: Self = Self(4);
    /// A word of a data page.
    pub const DATA: Self = Self(5);

    /// The machine's own families and their names.
    pub const OWN: [(Self, &'static str); 5] = [
        (Self::PTE, "pte"),
        (Self::PMD, "pmd"),
        (Self::PUD, "pud"),
        (Self::PGD, "pgd"),
        (Self::DATA, "data"),
    ];

    /// The family of the entries of a table of this level, 1 to 4.
    pub const fn of_level(level: u8) -> Self {
        Self(level)
    }
}

/// A point that was met.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Point {
    /// What kind of access.
    pub kind: PointKind,
    /// To which variables.
    pub family: Family,
}

/// Where an operation or a handler stops. Points are counted from the start of the operation or the handler that the pause
/// is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pause {
    /// Before its n-th point; the first is 1.
    At(u16),
    /// Before the n-th access of this kind to this family; the first is 1.
    Before {
        /// The access and its target.
        point: Point,
        /// Which of these accesses.
        occurrence: u8,
    },
}

bitflags! {
    /// How wild the hardware is. All of it is legal on every x86-64: software that fails under it has a bug.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Temperament: u8 {
        /// Just before a store to a present entry becomes visible, every CPU whose root reaches the entry walks it.
        const EAGER_WALKERS = 1;
        /// Plain stores wait in the buffer until the CPU serialises.
        const LAZY_STORES = 2;
        /// What was freed last is reused first: frames, ranges, objects.
        const LIFO_REUSE = 4;
        /// A CPU takes pending interrupts from the latest sender first.
        const REORDERED_INTERRUPTS = 8;
    }
}
