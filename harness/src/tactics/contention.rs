//! Which events fight for which lock: for stories in which one operation holds a lock and another comes to wait for it.
//!
//! Left to chance, two operations seldom meet at a lock that is held for a few points only. This module knows the
//! families of variables and which events get to them; it must not know any bug.

use impls::family;
use machine::{Family, Pause, Point, PointKind};

use crate::story::dice::Dice;
use crate::story::{Backends, Tag};

use super::pauses::wait_for;

/// A lock, or whatever else is spun on, and who fights for it.
#[derive(Debug)]
pub(crate) struct Contention {
    /// What is waited for.
    family: Family,
    /// How often it is drawn: the more, the harder it is to meet there.
    often: usize,
    /// Where its holder is held up.
    held: Held,
    /// Those who hold it.
    pub(crate) holders: &'static [Tag],
    /// Those who come to wait for it.
    pub(crate) takers: &'static [Tag],
    /// Who must have been there before, beside what each of these needs.
    pub(crate) before: &'static [Tag],
    /// Where it is fought for.
    on: Backends,
}

/// Where the holder of something is held up.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// Before the store that lets go of a spinlock, of the first that it takes or of one soon after.
    BeforeRelease,
    /// Before the second locked access or one soon after: the first took it.
    AfterTaking,
    /// When it has taken the word of each CPU, as the writer of a reader-writer lock does.
    AfterTakingAll,
    /// While it waits for the answers of other CPUs to a flush of the kernel's.
    AwaitingAnswers,
}

/// The usual: a spinlock that every kernel has.
const SPINLOCK: Contention = Contention {
    family: Family::NONE,
    often: 1,
    held: Held::BeforeRelease,
    holders: &[],
    takers: &[],
    before: &[],
    on: Backends::all(),
};

const UNMAP: &[Tag] = &[Tag::Vunmap, Tag::UnmapRam, Tag::DrainAliases];
const SMALL_MAPPINGS: &[Tag] = &[Tag::UnmapRam, Tag::MapRam];
const OWN_PAGES: &[Tag] = &[Tag::Vmalloc, Tag::Vfree];
const LARGE_PAGES: &[Tag] = &[Tag::VmallocHuge, Tag::Vfree];
const EXCHANGE: &[Tag] = &[Tag::DmaAlloc, Tag::DmaAllocWide, Tag::DmaFree, Tag::HvExchange];
const VALIDATE: &[Tag] = &[Tag::HvPin, Tag::HvPin, Tag::HvUnpin, Tag::HvUpdate];
const TABLES: &[Tag] = &[Tag::MakeTable, Tag::UnmakeTable];
const INTERRUPT: &[Tag] = &[Tag::DrainAliases, Tag::DropMm, Tag::SetMemoryRo, Tag::SetMemoryRox];

const FAULTS: &[Tag] = &[Tag::Store, Tag::Load, Tag::GupFast];
const ENTRIES: &[Tag] = &[Tag::Store, Tag::Load, Tag::Munmap, Tag::Mprotect, Tag::Dontneed];

/// What is fought for too seldom elsewhere.
static ALL: [Contention; 17] = [
    Contention { family: family::LAZY_LOCK, often: 2, holders: UNMAP, takers: UNMAP, ..SPINLOCK },
    // A purge holds it until its flush is done, and what is outstanding counts until then.
    Contention {
        family: family::PURGE_LOCK,
        often: 3,
        held: Held::AwaitingAnswers,
        holders: &[Tag::DrainAliases],
        takers: &[Tag::DrainAliases],
        before: &[Tag::Vmap, Tag::Vunmap, Tag::UnmapRam],
        ..SPINLOCK
    },
    // A block is given up by the caller that unmaps the last of it, and the next is made where it came from.
    Contention {
        family: family::BLOCK_QUEUE_LOCK,
        often: 4,
        holders: SMALL_MAPPINGS,
        takers: SMALL_MAPPINGS,
        ..SPINLOCK
    },
    Contention { family: family::LOW_ZONE_LOCK, holders: OWN_PAGES, takers: OWN_PAGES, ..SPINLOCK },
    Contention {
        family: family::LARGE_ZONE_LOCK,
        holders: LARGE_PAGES,
        takers: LARGE_PAGES,
        on: Backends::NATIVE,
        ..SPINLOCK
    },
    // A large leaf changes in every address space, while another one comes or goes.
    Contention {
        family: family::PGD_LOCK,
        often: 2,
        holders: &[Tag::SetMemoryRo, Tag::SetMemoryRox, Tag::SetMemoryRw],
        takers: &[Tag::NewMm, Tag::NewMm, Tag::DropMm],
        before: &[Tag::VmallocHuge],
        on: Backends::NATIVE,
        ..SPINLOCK
    },
    // A caller that changes mappings holds it until all is flushed, and faults hold it together.
    Contention {
        family: family::MMAP_LOCK,
        often: 2,
        held: Held::AfterTaking,
        holders: &[Tag::Mmap, Tag::Munmap, Tag::Mprotect],
        takers: &[Tag::Store, Tag::Load, Tag::GupFast, Tag::Munmap],
        before: &[Tag::Mmap],
        ..SPINLOCK
    },
    // Two faults make the same table, or set the same entry.
    Contention {
        family: family::PAGE_TABLE_LOCK,
        often: 3,
        holders: FAULTS,
        takers: FAULTS,
        before: &[Tag::Mmap],
        ..SPINLOCK
    },
    Contention {
        family: family::PTE_LOCK,
        often: 4,
        holders: ENTRIES,
        takers: ENTRIES,
        before: &[Tag::Mmap],
        ..SPINLOCK
    },
    // Reclaim holds the reverse map while it unmaps a page, and no mapping comes or goes meanwhile.
    Contention {
        family: family::I_MMAP,
        often: 3,
        held: Held::AfterTaking,
        holders: &[Tag::Reclaim],
        takers: &[Tag::Mmap, Tag::Munmap, Tag::Mremap],
        before: &[Tag::NewObject, Tag::Mmap, Tag::Mmap],
        ..SPINLOCK
    },
    Contention {
        family: family::I_PAGES,
        often: 3,
        holders: &[Tag::Reclaim, Tag::Load, Tag::Store],
        takers: &[Tag::Reclaim, Tag::Load, Tag::Store],
        before: &[Tag::NewObject, Tag::Mmap, Tag::Mmap],
        ..SPINLOCK
    },
    // Of the designs only one has it.
    Contention {
        family: family::QUICKLIST_LOCK,
        often: 2,
        holders: TABLES,
        takers: TABLES,
        on: Backends::XEN,
        ..SPINLOCK
    },
    // While a CPU validates a frame, no other CPU may use it as that type.
    Contention {
        family: family::TYPE_INFO,
        often: 4,
        held: Held::AfterTaking,
        holders: VALIDATE,
        takers: VALIDATE,
        on: Backends::XEN,
        ..SPINLOCK
    },
    Contention {
        family: family::EVENT_LOCK,
        often: 3,
        holders: INTERRUPT,
        takers: INTERRUPT,
        before: &[Tag::Vmap, Tag::Vunmap, Tag::SwitchMm],
        on: Backends::XEN,
        ..SPINLOCK
    },
    Contention {
        family: family::HEAP_LOCK,
        holders: EXCHANGE,
        takers: EXCHANGE,
        on: Backends::XEN,
        ..SPINLOCK
    },
    Contention {
        family: family::MAP_LOCK,
        holders: EXCHANGE,
        takers: EXCHANGE,
        on: Backends::XEN,
        ..SPINLOCK
    },
    // A caller that sets an entry by its address goes by the linear mapping, and must not while an upper entry changes.
    Contention {
        family: family::LINEAR_LOCK,
        often: 8,
        held: Held::AfterTakingAll,
        holders: &[Tag::HvUpdate],
        takers: &[Tag::Vmap, Tag::MapRam],
        before: &[Tag::HvPin],
        on: Backends::XEN,
    },
];

impl Contention {
    /// One that there is on some of these backends.
    pub(crate) fn draw(dice: &mut Dice, on: Backends) -> &'static Self {
        let weights = ALL.each_ref().map(|row| if row.on.intersects(on) { row.often } else { 0 });
        &ALL[dice.weighted(&weights)]
    }

    /// A pause of the operation that holds it.
    pub(crate) fn hold(&self, dice: &mut Dice, cpus: u8) -> Pause {
        let occurrence = match self.held {
            Held::BeforeRelease => dice.geometric(2, 8) as u8,
            Held::AfterTaking => dice.geometric(2, 8) as u8 + 1,
            Held::AfterTakingAll => cpus + 1,
            Held::AwaitingAnswers => 1,
        };
        Pause::Before { point: self.held_at(), occurrence }
    }

    fn held_at(&self) -> Point {
        let (kind, family) = match self.held {
            Held::BeforeRelease => (PointKind::Store, self.family),
            Held::AfterTaking | Held::AfterTakingAll => (PointKind::Locked, self.family),
            Held::AwaitingAnswers => (PointKind::Wait, family::CALL_ACK),
        };
        Point { kind, family }
    }

    /// Whether an operation that is paused here holds it.
    pub(crate) fn is_held(&self, pause: Option<Pause>) -> bool {
        matches!(pause, Some(Pause::Before { point, .. }) if point == self.held_at())
    }

    /// Who comes to wait, and is mostly left there.
    pub(crate) fn taker(&self, dice: &mut Dice) -> (Tag, Option<Pause>) {
        (dice.pick(self.takers), dice.percent(85).then(|| wait_for(self.family)))
    }
}
