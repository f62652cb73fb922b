//! Address spaces. Each has a root of its own.
//!
//! *Kernel half*: copies of the kernel's upper levels down to the one whose entries lead to tables of the lowest level. The
//! kernel's tables keep the copies in step (`kernel_tables/copies.rs`); `lifetime.rs` makes and drops address spaces.
//!
//! *User half*: mappings (`vma.rs`) that callers change (`mmap.rs`) and move (`mremap.rs`), pages that come in by faults (`fault.rs`) and tables that
//! come with them (`tables.rs`). What is taken away is gathered until every CPU has forgotten it (`gather.rs`, `flush.rs`).
//! `gup.rs` finds pages without a lock. `reclaim.rs` takes pages away by the reverse map.
//!
//! `switch.rs` has CPUs load and leave address spaces; `thread.rs` has threads of them on CPUs.

mod fault;
mod flush;
mod gather;
mod gup;
mod lifetime;
mod mmap;
mod mremap;
mod object;
mod reclaim;
mod switch;
mod tables;
mod thread;
mod vma;
mod zap;

pub(crate) use gup::{Pins, Want};
pub(crate) use object::{Object, Objects};
pub(crate) use thread::{Accessed, return_to_user};
pub(crate) use vma::Backing;

use crate::family;
use crate::paravirt::Pfn;
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, PerCpu, PerCpuVar, RwSemaphore, SpinLock};
use flush::MmFlush;
use machine::{Bus, Frame, Var, VarArray};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use vma::Vmas;

pub use flush::USER_FLUSH_VECTOR;

/// The vector by which a CPU is taken off an address space.
pub const LEAVE_MM_VECTOR: u8 = 2;

const MMAP_LOCK: LockClass = LockClass { family: family::MMAP_LOCK, name: "mmap_lock" };
const PAGE_TABLE_LOCK: LockClass = LockClass { family: family::PAGE_TABLE_LOCK, name: "mm->page_table_lock" };
const PTE_LOCK: LockClass = LockClass { family: family::PTE_LOCK, name: "pte lock" };
const SECOND_PTE_LOCK: LockClass = LockClass { family: family::PTE_LOCK, name: "second pte lock" };

/// Whether a CPU that takes the lock of a table holds that of another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Nesting {
    /// It does not.
    Outer,
    /// It does (`SINGLE_DEPTH_NESTING`).
    Inner,
}

/// An address space.
#[derive(Debug)]
pub struct Mm {
    /// Its root, then the tables of the kernel half below it, from the upper to the lower.
    pages: Vec<Pfn>,
    /// Which words of [`Mms`] are its own.
    words: u8,
    mmap_lock: RwSemaphore<Vmas>,
    /// Held to set and clear upper entries of the user half.
    page_table_lock: SpinLock<()>,
    /// The CPUs that may have translations of it, a bit each.
    cpumask: Var,
    /// Its threads, and one for its owner.
    users: Var,
    /// Its tables are page tables to the platform.
    pinned: Cell<bool>,
}

impl Mm {
    fn root(&self) -> Pfn {
        self.pages[0]
    }
}

/// Instead of a root: a CPU wants no other to leave anything.
const NONE: u64 = u64::MAX;

/// So many address spaces may there be at a time.
const MOST: usize = 16;

/// The words of address spaces, and which of them are loaded where.
#[derive(Debug)]
pub struct Mms {
    /// Which each CPU has loaded (`cpu_tlbstate.loaded_mm`), by its root.
    loaded: PerCpuVar,
    /// Which each CPU wants others to leave, by its root.
    leave: PerCpuVar,
    init: Pfn,
    /// The address space that each CPU has loaded, beside the kernel's own (`current->active_mm`). A CPU changes its own alone.
    active: PerCpu<RefCell<Option<Rc<Mm>>>>,
    /// Whether a thread of that address space runs there, in user mode or on its way back to it (`current->mm`).
    threads: PerCpu<Cell<bool>>,
    /// Whether this CPU takes no faults at user addresses (`pagefault_disabled`).
    no_faults: PerCpu<Cell<bool>>,
    /// Why the last access of a thread failed, beside a fault that is its own.
    out_of_memory: PerCpu<Cell<bool>>,
    flush: MmFlush,
    /// What each address space has a word of: `mmap_lock`, `page_table_lock`, `mm_cpumask`, `mm_users`.
    words: [VarArray; 4],
    /// Which of them are in use, a bit each.
    in_use: Cell<u16>,
    /// The locks of lowest-level tables, one for each frame.
    pte_words: VarArray,
    pte_locks: OnceCell<PteLocks>,
    lockdep: Rc<Lockdep>,
}

impl Mms {
    /// Every CPU begins in the kernel's own, which has this root.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, init: Pfn) -> Self {
        let words = [family::MMAP_LOCK, family::PAGE_TABLE_LOCK, family::MM_CPUMASK, family::MM_USERS];
        let mms = Self {
            loaded: PerCpuVar::new(bus, family::LOADED_MM),
            leave: PerCpuVar::new(bus, family::LEAVE_MM),
            init,
            active: PerCpu::new(bus, |_| RefCell::new(None)),
            threads: PerCpu::new(bus, |_| Cell::new(false)),
            no_faults: PerCpu::new(bus, |_| Cell::new(false)),
            out_of_memory: PerCpu::new(bus, |_| Cell::new(false)),
            flush: MmFlush::new(bus),
            words: words.map(|family| bus.memory.vars(family, MOST)),
            in_use: Cell::new(0),
            pte_words: bus.memory.vars(family::PTE_LOCK, bus.memory.frames() as usize),
            pte_locks: OnceCell::new(),
            lockdep: Rc::clone(lockdep),
        };
        for cpu in 0..bus.cpus() {
            bus.memory.set_value(mms.loaded.of(cpu), init.0.into());
            bus.memory.set_value(mms.leave.of(cpu), NONE);
        }
        mms
    }

    /// Variables needed for this many CPUs and machine frames.
    pub fn vars(cpus: u8, frames: u32) -> u32 {
        2 * u32::from(cpus) + MmFlush::vars(cpus) + 4 * MOST as u32 + frames
    }

    /// An address space of these tables; none if there are as many as there can be.
    fn make(&self, pages: Vec<Pfn>) -> Option<Mm> {
        let words = self.in_use.get().trailing_ones() as u8;
        if usize::from(words) == MOST {
            return None;
        }
        self.in_use.set(self.in_use.get() | 1 << words);
        let [mmap_lock, page_table_lock, cpumask, users] = self.words.map(|array| array.at(words.into()));
        Some(Mm {
            pages,
            words,
            mmap_lock: RwSemaphore::over(mmap_lock, &self.lockdep, MMAP_LOCK, Vmas::default()),
            page_table_lock: SpinLock::over(page_table_lock, &self.lockdep, PAGE_TABLE_LOCK, ()),
            cpumask,
            users,
            pinned: Cell::new(false),
        })
    }

    /// An address space is gone: another one may have its words.
    fn end(&self, mm: &Mm) {
        self.in_use.set(self.in_use.get() & !(1 << mm.words));
    }

    /// The lock of a lowest-level table.
    fn pte_lock(&self, table: Frame, nesting: Nesting) -> &SpinLock<()> {
        let locks = self.pte_locks.get_or_init(|| {
            let none = <[OnceCell<_>; 2]>::default;
            std::iter::repeat_with(none).take(self.pte_words.len()).collect()
        });
        let class = match nesting {
            Nesting::Outer => PTE_LOCK,
            Nesting::Inner => SECOND_PTE_LOCK,
        };
        let lock = || SpinLock::over(self.pte_words.at(table.index()), &self.lockdep, class, ());
        locks[table.index()][nesting as usize].get_or_init(lock)
    }
}

/// A lock for each frame and way to take it, made when it is taken first.
type PteLocks = Box<[[OnceCell<SpinLock<()>>; 2]]>;

/// How large the batches of a gather are.
impl Sizes {
    /// Pages that are freed after one flush (`MAX_GATHER_BATCH`).
    const fn gather_pages(self) -> usize {
        match self {
            Self::Tiny => 2,
            Self::Small => 4,
            Self::Real => 506,
        }
    }

    /// Tables that wait for one grace period (`MAX_TABLE_BATCH`).
    const fn gather_tables(self) -> usize {
        match self {
            Self::Tiny => 1,
            Self::Small => 4,
            Self::Real => 509,
        }
    }
}
