//! The paravirt layer: what the kernel leaves to the platform beneath it (`pv_ops`), in parts by subject.
//!
//! The kernel is generic over [`PvMmu`], so native pays nothing for the others. Page tables hold machine frames; the
//! kernel thinks in pseudo-physical frames ([`Pfn`]), and only the platform knows which is which.

use crate::flush_request::FlushRequest;
use crate::protocol::Protocol;
use crate::sizes::Sizes;
use crate::smp::CpuMask;
use crate::sync::Lockdep;
use machine::{Bus, Cpu, Entry, Flags, Frame, Interrupt, Word};
use std::fmt;
use std::rc::Rc;

/// A frame as the kernel numbers them: pseudo-physical under a hypervisor, the machine's own number on bare metal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(pub u32);

impl Pfn {
    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pfn{}", self.0)
    }
}

/// The platform refused: the hypervisor's check failed and the call had no effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

/// Why the platform refused a call that a caller made behind the kernel's back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The reason in words, for a line of the trace.
    pub reason: &'static str,
    /// The frame, level or address that the reason is about.
    pub subject: u64,
    /// The address that was named has no table of the lowest level.
    pub no_lowest_table: bool,
}

/// Which frames are wanted in an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Those that a device reaches: in segments of contiguous frames, each of the same number of pages (the last may be
    /// shorter), below a limit.
    Reachable {
        /// Pages of a segment.
        segment: usize,
        /// The first frame that is out of reach, if there is such a one.
        limit: u32,
    },
    /// Whichever there are: those that are offered are too good for what they are used for.
    Any,
}

/// Page tables: which pages are tables, and what stands in their entries.
pub trait PvTables {
    /// Whether a page table may have no alias that could write to it, live or lazy.
    const TABLES_ALLOW_NO_ALIAS: bool;

    /// Whether kernel addresses may be mapped by large leaves.
    const LARGE_LEAVES: bool;

    /// The machine frame behind a frame of the kernel's (`pfn_to_mfn`).
    fn frame_of(&self, pfn: Pfn) -> Frame;

    /// The kernel's frame that a machine frame stands for (`mfn_to_pfn`).
    fn pfn_of(&self, frame: Frame) -> Pfn;

    /// An entry that leads to a frame of the kernel's (`mk_pte`).
    fn make_entry(&self, pfn: Pfn, flags: Flags) -> Entry {
        Entry::new(self.frame_of(pfn), flags)
    }

    /// A frame of the kernel's, zeroed, takes the role of a table of this level (`paravirt_alloc_pte` and upwards).
    #[track_caller]
    fn alloc_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8) -> Result<(), Refused>;

    /// A table that nothing leads to any more becomes an ordinary page of data (`paravirt_release_pte` and upwards).
    #[track_caller]
    fn release_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8);

    /// A page becomes a lowest-level table in its own right, as for a process under construction: pinned under Xen.
    #[track_caller]
    fn pin_table(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<(), Refused>;

    /// The reverse of [`PvTables::pin_table`].
    #[track_caller]
    fn unpin_table(&self, cpu: &Cpu<'_>, pfn: Pfn);

    /// A zeroed page is to be a table of this level in a tree under construction, which no CPU uses before it is pinned.
    #[track_caller]
    fn begin_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8);

    /// Sets an entry of such a table, which leads to another.
    #[track_caller]
    fn link_table(&self, cpu: &Cpu<'_>, word: Word, level: u8, entry: Entry);

    /// The tree under this root, which is of the highest level, becomes page tables: all of it or nothing.
    #[track_caller]
    fn pin_tree(&self, cpu: &Cpu<'_>, root: Pfn) -> Result<(), Refused>;

    /// The reverse of [`PvTables::pin_tree`]. Its pages are no ordinary pages before [`PvTables::end_table`].
    #[track_caller]
    fn unpin_tree(&self, cpu: &Cpu<'_>, root: Pfn);

    /// A page of a tree that is not pinned, or no more, becomes an ordinary page of data.
    #[track_caller]
    fn end_table(&self, cpu: &Cpu<'_>, pfn: Pfn);

    /// A table of an address space that no entry leads to any more, but that walks under way may still go through, until it is
    /// freed (`paravirt_release_pte` and upwards). `pinned` says that it is a page table to the platform so far.
    #[track_caller]
    fn retire_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8, pinned: bool);

    /// The tree under a root is no page table to the platform any more: nor is this table of it, of which the platform may have
    /// kept a hold of its own.
    #[track_caller]
    fn let_go_of_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8);

    /// Clears an entry of a table of an address space, and returns what stood there (`ptep_get_and_clear`). The caller holds the
    /// table's lock; the hardware may set accessed and dirty bits meanwhile.
    #[track_caller]
    fn clear_entry(&self, cpu: &Cpu<'_>, word: Word, level: u8) -> Entry;

    /// Sets an entry of a kernel table. While in lazy MMU mode the platform may put it off until the mode is left, or
    /// until it must flush.
    #[track_caller]
    fn set_entry(&self, cpu: &Cpu<'_>, word: Word, level: u8, entry: Entry) -> Result<(), Refused>;

    /// Sets the lowest-level entry of a kernel address, which stands at `word` (`set_pte_at`).
    #[track_caller]
    fn set_pte_at(&self, cpu: &Cpu<'_>, va: u64, word: Word, entry: Entry) -> Result<(), Refused>;

    /// Enters lazy MMU mode (`arch_enter_lazy_mmu_mode`).
    #[track_caller]
    fn enter_lazy_mmu(&self, cpu: &Cpu<'_>);

    /// Leaves lazy MMU mode: everything put off is done, or refused.
    #[track_caller]
    fn leave_lazy_mmu(&self, cpu: &Cpu<'_>) -> Result<(), Refused>;
}

/// Flushes, and the interrupts by which CPUs ask each other for them.
pub trait PvFlush {
    /// Flushes everything on this CPU, global entries too (`flush_tlb_kernel`).
    #[track_caller]
    fn flush_local(&self, cpu: &Cpu<'_>);

    /// Flushes one kernel page on this CPU (`flush_tlb_one_kernel`).
    #[track_caller]
    fn flush_one(&self, cpu: &Cpu<'_>, va: u64);

    /// Flushes kernel addresses on all CPUs without help of the kernel's, if the platform can and is to do so.
    /// Returns whether it did.
    #[track_caller]
    fn flush_everywhere(&self, cpu: &Cpu<'_>, request: FlushRequest) -> bool;

    /// Whether a flush of other CPUs is done by interrupts, which a CPU answers once its interrupts are on.
    const FLUSHES_BY_INTERRUPT: bool;

    /// Whether CPUs have instructions that broadcast invalidations to others.
    const BROADCASTS: bool;

    /// Flushes user addresses on this CPU, all of them (`flush_tlb_user`).
    #[track_caller]
    fn flush_user_local(&self, cpu: &Cpu<'_>);

    /// Flushes user addresses on these other CPUs, a bit each, as far as the platform has a way of its own (`flush_tlb_multi`).
    /// Returns those that the kernel is to interrupt.
    #[track_caller]
    fn flush_user_others(&self, cpu: &Cpu<'_>, cpus: CpuMask, request: FlushRequest) -> CpuMask;

    /// Sends an interrupt to another CPU.
    #[track_caller]
    fn send_ipi(&self, cpu: &Cpu<'_>, to: u8, vector: u8);

    /// An interrupt for the platform itself.
    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt);

    /// The handler by which a host gives a CPU back that it took away; none where no CPU is taken away.
    fn give_back(&self) -> Option<Interrupt> {
        None
    }

    /// The handler by which a host takes a CPU away; none where no CPU is taken away.
    fn take_away(&self) -> Option<Interrupt> {
        None
    }
}

/// Address spaces.
pub trait PvSwitch {
    /// This CPU loads a root, which is of a tree of tables that is in use as such (`write_cr3`).
    #[track_caller]
    fn load_root(&self, cpu: &Cpu<'_>, root: Pfn);
}

/// The machine frames beneath pages, as far as devices care for them. What exchanges them is asked only of a platform that can.
pub trait PvExchange {
    /// Whether the machine frames beneath pages can be exchanged for others.
    const EXCHANGES_FRAMES: bool;

    /// The first machine frame that narrow devices do not reach.
    fn dma_limit(sizes: Sizes) -> u32;

    /// Puts other machine frames beneath pages, zeroed; nothing leads to the old ones. Returns how many it did, from the
    /// first on: a segment for which there are no frames, and those after it, keep what they have.
    #[track_caller]
    fn exchange_frames(&self, cpu: &Cpu<'_>, pages: &[Pfn], wanted: Wanted) -> Result<usize, Refused>;

    /// As [`PvTables::set_pte_at`], and makes every CPU forget the page, or everything, also where the caller has interrupts off.
    #[track_caller]
    fn set_pte_and_flush(&self, cpu: &Cpu<'_>, va: u64, entry: Entry, full: bool) -> Result<(), Refused>;

    /// Another domain takes the frames that were given away, if the platform has other domains. No CPU takes part.
    fn other_domain_takes(&self, _bus: &Bus) {}
}

/// What callers can ask of the platform by calls of their own, behind the kernel's back. It changes the machine and the platform's
/// books, and none of the kernel's; a call that is refused changes nothing.
pub trait RawCalls {
    /// A frame of another domain.
    fn foreign_frame(&self) -> Frame;

    /// Sets any word of a page, an entry if the page is a table.
    #[track_caller]
    fn update(&self, cpu: &Cpu<'_>, word: Word, entry: Entry) -> Result<(), Refusal>;

    /// Sets the lowest-level entry of an address under the root that this CPU runs on.
    #[track_caller]
    fn update_va(&self, cpu: &Cpu<'_>, va: u64, entry: Entry) -> Result<(), Refusal>;

    /// Makes a frame a table of this level and keeps it one. Any number may be given.
    #[track_caller]
    fn pin(&self, cpu: &Cpu<'_>, frame: Frame, level: u8) -> Result<(), Refusal>;

    /// Lets go of a table that was pinned.
    #[track_caller]
    fn unpin(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal>;

    /// Whether a frame is pinned, while no CPU changes that.
    fn is_pinned(&self, bus: &Bus, frame: Frame) -> bool;

    /// Loads a root on this CPU. Any frame may be given.
    #[track_caller]
    fn load_root(&self, cpu: &Cpu<'_>, root: Frame) -> Result<(), Refusal>;

    /// Flushes everything on all CPUs.
    #[track_caller]
    fn flush_all(&self, cpu: &Cpu<'_>) -> Result<(), Refusal>;

    /// Gives the frame beneath a page for one that devices reach, for good. Returns whether there was one; it is beneath the page
    /// then.
    #[track_caller]
    fn exchange(&self, cpu: &Cpu<'_>, pfn: Pfn, limit: u32) -> Result<bool, Refusal>;

    /// Gives the frame beneath a page up: the page has none from then on.
    #[track_caller]
    fn give_up(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<(), Refusal>;
}

/// What the kernel asks of the platform beneath it: all the parts, and how it starts and ends.
pub trait PvMmu: PvTables + PvFlush + PvSwitch + PvExchange + Sized + fmt::Debug + 'static {
    /// The name for people and stories.
    const NAME: &'static str;

    /// Machine frames needed for a kernel of this size, and for what lies beneath it.
    fn machine_frames(sizes: Sizes) -> u32;

    /// Machine variables that the platform needs for itself at this size.
    fn machine_vars(sizes: Sizes) -> u32;

    /// The platform at boot, before any CPU runs. Changes memory directly.
    fn boot(bus: &Rc<Bus>, sizes: Sizes, protocol: &Rc<Protocol>, lockdep: &Rc<Lockdep>) -> Self;

    /// The kernel's first tables are built (with this root, and these tables by level): takes them as they are, before
    /// any CPU runs.
    fn adopt_boot_tables(&self, bus: &Bus, root: Pfn, tables: &[(Pfn, u8)]);

    /// The calls that callers can make behind the kernel's back. `None` where nothing lies beneath the kernel.
    fn raw_calls(&self) -> Option<&dyn RawCalls> {
        None
    }

    /// What is left over that should not be, when everything was torn down; the words name it. Empty if nothing.
    fn leftovers(&self, bus: &Bus) -> Vec<String>;
}
