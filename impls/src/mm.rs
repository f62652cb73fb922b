//! Address spaces and their kernel half: each has a root of its own, and copies of the kernel's upper levels down to the
//! one whose entries lead to tables of the lowest level. Those tables, and the direct map, are shared by all.
//!
//! The kernel's own tables (`init_mm`) are the reference: software walks them, and an entry of the copied level is set and
//! cleared there first; the copies follow. Whoever does so holds the mutex over the tables, or `pgd_lock` where it may not
//! sleep, and who makes or drops an address space holds both, so that the list of them stands still for either. What is added may come late, as long
//! as nobody needs it yet; what is removed must be gone everywhere before the flush. Else the hardware goes by a copy that
//! was forgotten:
//!
//! ```text
//!   c0 purge                              c1, in another address space
//!   clear the entry in init_mm
//!   flush everywhere
//!                                         walks its own copy of it, remembers the way to the table
//!   clear the copy: too late, or never
//!   free the table
//!                                         walks a table that was freed
//! ```
//!
//! which breaks rule 6. A CPU may load another root in the middle of it: from one that is in step to one that is not yet,
//! or back. So the flush goes to all CPUs, whatever they have loaded, and stands after the last copy.

use crate::direct_map::DirectMap;
use crate::family;
use crate::kernel::Kernel;
use crate::kernel_tables::{MapError, TABLE_FLAGS, entry_word_under};
use crate::paravirt::{Pfn, PvMmu, Refused};
use crate::protocol::{KernelSync, Step, TableDrain};
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, SpinLock};
use machine::paging::{LEVELS, index};
use machine::{Bus, Cpu, Entry, Holder, Interrupt, Until, Var, VarArray, Wait, WaitKind, Word};
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The vector by which a CPU is taken off an address space.
pub const LEAVE_MM_VECTOR: u8 = 2;

/// The level whose entries lead to the shared tables.
const COPIED: u8 = 2;

/// An address space.
#[derive(Debug)]
pub struct Mm {
    /// Its root, then the tables of the levels below it, from the upper to the lower.
    pages: Vec<Pfn>,
}

impl Mm {
    fn root(&self) -> Pfn {
        self.pages[0]
    }
}

/// Instead of a root: a CPU wants nobody to leave anything.
const NONE: u64 = u64::MAX;

const PGD_LOCK: LockClass = LockClass { family: family::PGD_LOCK, name: "pgd_lock" };

/// The address spaces beside the kernel's own.
#[derive(Debug)]
pub struct Mms {
    /// Which each CPU has loaded (`cpu_tlbstate.loaded_mm`), by its root.
    loaded: VarArray,
    /// Which each CPU wants others to leave, by its root.
    leave: VarArray,
    init: Pfn,
    /// Those whose copies are kept in step (`pgd_list`). Read under the mutex over the tables or under the lock, and changed
    /// under both.
    list: RefCell<Vec<Rc<Mm>>>,
    lock: SpinLock<()>,
}

impl Mms {
    /// Every CPU begins in the kernel's own, which has this root.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, init: Pfn) -> Self {
        let loaded = bus.memory.vars(family::LOADED_MM, bus.cpus().into());
        for cpu in 0..bus.cpus() {
            bus.memory.set_value(loaded.at(cpu.into()), init.0.into());
        }
        let leave = bus.memory.vars(family::LEAVE_MM, bus.cpus().into());
        for cpu in 0..bus.cpus() {
            bus.memory.set_value(leave.at(cpu.into()), NONE);
        }
        let lock = SpinLock::new(bus, lockdep, PGD_LOCK, ());
        Self { loaded, leave, init, list: RefCell::default(), lock }
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8) -> u32 {
        2 * u32::from(cpus) + 1
    }

    /// Whether there is none. For holders of the mutex or the lock, and while no CPU runs.
    pub(crate) fn are_none(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// All of them. For holders of the mutex or the lock.
    fn listed(&self) -> Vec<Rc<Mm>> {
        self.list.borrow().clone()
    }

    fn of(&self, cpu: u8) -> Var {
        self.loaded.at(cpu.into())
    }
}

/// The tables of this level that lead to all areas there can be, by the number of what each covers.
fn tables_of_level(sizes: Sizes, level: u8) -> RangeInclusive<u64> {
    let (first, last) = (sizes.vmalloc_first(), sizes.vmalloc_first() + (sizes.vmalloc_pages() - 1));
    first >> (9 * level)..=last >> (9 * level)
}

/// The first address that a table of this level and number covers.
fn start_of(level: u8, number: u64) -> u64 {
    number << (12 + 9 * level)
}

/// The levels between the root and the shared tables, from the upper to the lower.
fn levels_below_root() -> impl Iterator<Item = u8> {
    (COPIED..LEVELS).rev()
}

impl<P: PvMmu> Kernel<P> {
    /// Makes an address space whose user half is empty (`mm_alloc`). The tables of all levels that are copied are there from
    /// the beginning, so that an entry can be added to it at any time, without memory.
    pub(crate) fn new_mm(&self, cpu: &Cpu<'_>) -> Result<Rc<Mm>, MapError> {
        let tables = levels_below_root().map(|level| tables_of_level(self.sizes, level).count());
        let wanted = 1 + tables.sum::<usize>() as u8;
        let mut pages = Vec::with_capacity(wanted.into());
        let made = self
            .alloc_table_pages(cpu, wanted, &mut pages)
            .and_then(|()| self.make_mm_of(cpu, pages.clone()));
        if made.is_err() {
            for pfn in pages {
                self.free_table_page(cpu, pfn);
            }
        }
        made
    }

    /// By the design that does not drain beforehand, a refusal says that an alias is left.
    fn make_mm_of(&self, cpu: &Cpu<'_>, pages: Vec<Pfn>) -> Result<Rc<Mm>, MapError> {
        let mm = Rc::new(Mm { pages });
        let Err(Refused) = self.try_make_mm(cpu, &mm) else { return Ok(mm) };
        if self.table_drain_is(TableDrain::FixUp) {
            self.drain_for_kernel_tables(cpu)?;
            if self.try_make_mm(cpu, &mm).is_ok() {
                return Ok(mm);
            }
        }
        Err(MapError::Refused)
    }

    /// From the copy until it is on the list nothing may be added or removed, for it would be neither in what was copied
    /// nor brought up to date:
    ///
    /// ```text
    ///   c0 new-mm                             c1 purge
    ///   copy the entry
    ///                                         clear it in init_mm, and in every mm on the list; free the table
    ///   onto the list, with the old entry
    /// ```
    fn try_make_mm(&self, cpu: &Cpu<'_>, mm: &Rc<Mm>) -> Result<(), Refused> {
        self.link_upper_levels(cpu, mm);
        let at_once = self.protocol.does(Step::CopyAndListAtOnce);
        if !at_once {
            self.copy_from_init(cpu, mm);
        }
        let _tables = self.tables.users.lock(cpu);
        let _copies = self.mms.lock.lock(cpu);
        if at_once {
            self.copy_from_init(cpu, mm);
        }
        let pinned = self.pv.pin_tree(cpu, mm.root());
        match pinned {
            Ok(()) => self.mms.list.borrow_mut().push(Rc::clone(mm)),
            Err(Refused) => self.end_tables(cpu, mm),
        }
        pinned
    }

    /// Links the tables of an address space, which lead nowhere yet but to the direct map. Nobody has its root.
    fn link_upper_levels(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let mut pages = mm.pages.iter();
        let mut begin = |level| {
            let pfn = *pages.next().expect("one for each table");
            self.pv.begin_table(cpu, pfn, level);
            pfn
        };
        let root = self.pv.frame_of(begin(LEVELS));
        let direct = DirectMap::index_in_root();
        let entry = cpu.load_entry(Word::new(self.tables.root(), direct), LEVELS);
        self.pv.link_table(cpu, Word::new(root, direct), LEVELS, entry);
        // The tables one level higher, and the number of the first.
        let (mut above, mut first) = (vec![root], *tables_of_level(self.sizes, LEVELS).start());
        for level in levels_below_root() {
            let numbers = tables_of_level(self.sizes, level);
            let start = *numbers.start();
            let mut tables = Vec::new();
            for number in numbers {
                let pfn = begin(level);
                let parent = above[((number >> 9) - first) as usize];
                let word = Word::new(parent, index(start_of(level, number), level + 1));
                self.pv.link_table(cpu, word, level + 1, self.pv.make_entry(pfn, TABLE_FLAGS));
                tables.push(self.pv.frame_of(pfn));
            }
            (above, first) = (tables, start);
        }
    }

    /// Copies what leads to the shared tables.
    fn copy_from_init(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let numbers = tables_of_level(self.sizes, COPIED);
        let copies = &mm.pages[mm.pages.len() - numbers.clone().count()..];
        for (number, copy) in numbers.zip(copies) {
            let Some(first) = self.entry_word(cpu, start_of(COPIED, number), COPIED) else { continue };
            let mut from = 0;
            while let Some(index) = cpu.bus().memory.next_non_zero(first.frame, from) {
                from = index + 1;
                let entry = cpu.load_entry(Word::new(first.frame, index), COPIED);
                if entry.present() {
                    self.pv.link_table(cpu, Word::new(self.pv.frame_of(*copy), index), COPIED, entry);
                }
            }
        }
    }

    /// An entry was added to the kernel's own tables: it goes into every copy (`arch_sync_kernel_mappings`), unless the
    /// design leaves that to those who fault on it. The address behind it is not known to anybody yet. A platform to which
    /// addresses are handed looks at the copy that is loaded, and raises no fault that could repair it.
    ///
    /// The mutex over the tables is held, by which an mm is on the list exactly as long as its tables are tables.
    pub(crate) fn add_to_mms(&self, cpu: &Cpu<'_>, va: u64, entry: Entry) {
        if self.mms.are_none()
            || self.protocol.designs.kernel_sync == KernelSync::OnFault
            || !self.protocol.does(Step::AddToEveryMm)
        {
            return;
        }
        for mm in self.mms.listed() {
            self.set_copy(cpu, self.copy_in(cpu, &mm, va), entry);
        }
    }

    /// The same for one that is gone: it goes from every copy, whatever the design. The mutex over the tables is held, or
    /// `pgd_lock`.
    pub(crate) fn remove_from_mms(&self, cpu: &Cpu<'_>, va: u64) {
        if !self.mms.are_none() && self.protocol.does(Step::RemoveFromEveryMm) {
            self.change_in_mms(cpu, va, Entry::EMPTY);
        }
    }

    /// Changes a large leaf, in the kernel's own tables and wherever it was copied to: that is not left to those who fault,
    /// since what they have is too much, and not too little:
    ///
    /// ```text
    ///   c0 set-memory-ro                      c1, in another address space
    ///   the leaf in init_mm: read-only
    ///   flush everywhere                      forgets it
    ///                                         walks its own copy of it: writable
    ///   returns: the page can be written
    /// ```
    ///
    /// Works with interrupts off.
    #[track_caller]
    pub(crate) fn change_large_leaf(&self, cpu: &Cpu<'_>, word: Word, va: u64, entry: Entry) {
        let _copies = self.mms.lock.lock(cpu);
        self.set_copy(cpu, word, entry);
        if !self.mms.are_none() && self.protocol.does(Step::ChangeLeafInEveryMm) {
            self.change_in_mms(cpu, va, entry);
        }
    }

    /// Changes an entry in those copies that have it.
    fn change_in_mms(&self, cpu: &Cpu<'_>, va: u64, entry: Entry) {
        for mm in self.mms.listed() {
            let word = self.copy_in(cpu, &mm, va);
            if cpu.load_entry(word, COPIED).present() {
                self.set_copy(cpu, word, entry);
            }
        }
    }

    fn copy_in(&self, cpu: &Cpu<'_>, mm: &Mm, va: u64) -> Word {
        let root = self.pv.frame_of(mm.root());
        let word = entry_word_under(cpu, root, va, COPIED);
        word.unwrap_or_else(|| cpu.bug("an address space lacks upper levels"))
    }

    fn set_copy(&self, cpu: &Cpu<'_>, word: Word, entry: Entry) {
        if self.pv.set_entry(cpu, word, COPIED, entry).is_err() {
            cpu.bug("the platform does not let upper entries be kept in step");
        }
    }

    /// An access faulted: copies the upper entry for the address, if it is that which is missing (`vmalloc_fault`). Returns
    /// whether the access is to be tried again.
    ///
    /// Who accesses a mapping keeps it, and with it the table that the entry leads to; so nobody removes the entry
    /// meanwhile. But a large leaf may be changed, hence the lock:
    ///
    /// ```text
    ///   c1 faults, without it                 c0 set-memory-ro
    ///   loads the entry: writable
    ///                                         the entry: read-only, and in all copies that there are
    ///                                         flushes everywhere, returns
    ///   its copy: writable
    /// ```
    ///
    /// Interrupts are off, as the hardware enters the handler. One that takes the CPU off this address space would do no harm
    /// all the same: who drops that needs the lock too before its tables go.
    pub(crate) fn vmalloc_fault(&self, cpu: &Cpu<'_>, va: u64) -> bool {
        if self.protocol.designs.kernel_sync != KernelSync::OnFault {
            return false;
        }
        let _copies = self.mms.lock.lock_irqsave(cpu);
        self.copy_for(cpu, va)
    }

    fn copy_for(&self, cpu: &Cpu<'_>, va: u64) -> bool {
        let Some(reference) = self.entry_word(cpu, va, COPIED) else { return false };
        let entry = cpu.load_entry(reference, COPIED);
        let Some(word) = entry_word_under(cpu, cpu.cr3().root, va, COPIED) else { return false };
        if !entry.present() {
            return false;
        }
        // Another CPU in the same address space may have faulted too, and been faster.
        if !cpu.load_entry(word, COPIED).present() {
            self.set_copy(cpu, word, entry);
        }
        // The return from a fault serialises. A walker does not look into store buffers, not even into its own CPU's.
        cpu.fence();
        true
    }

    /// This CPU loads an address space, or the kernel's own (`switch_mm_irqs_off`).
    ///
    /// It counts as being in the old one until it has loaded the new root:
    ///
    /// ```text
    ///   c1, in the other order                c0 drop-mm
    ///   loaded_mm := init
    ///                                         nobody has it loaded
    ///                                         free its tables
    ///   (still on the old root) walks tables that were freed
    ///   load CR3
    /// ```
    ///
    /// Nor is it in neither: interrupts are off, so that it cannot be taken off the one while it goes over to the other.
    pub(crate) fn switch_mm(&self, cpu: &Cpu<'_>, to: Option<&Mm>) {
        let root = to.map_or(self.mms.init, Mm::root);
        let loaded = self.mms.of(cpu.id());
        let interrupts = cpu.irq_save();
        let loads_first = self.protocol.does(Step::LoadBeforeLeaving);
        if !loads_first {
            cpu.store(loaded, root.0.into());
        }
        self.pv.load_root(cpu, root);
        if loads_first {
            cpu.store(loaded, root.0.into());
        }
        cpu.irq_restore(interrupts);
    }

    /// Takes an address space apart (`exit_mmap`). CPUs that are in it are taken off it; no CPU is on the way into it.
    pub(crate) fn drop_mm(&self, cpu: &Cpu<'_>, mm: &Rc<Mm>) {
        self.evict(cpu, mm);
        // Whoever keeps the copies in step must not find it on the list when its tables are tables no more: what it sets
        // would end up in somebody else's page.
        let unlisted_first = self.protocol.does(Step::UnlistBeforeFree);
        if unlisted_first {
            self.unlist_and_unpin(cpu, mm);
        } else {
            self.pv.unpin_tree(cpu, mm.root());
        }
        self.end_tables(cpu, mm);
        for pfn in &mm.pages {
            self.free_table_page(cpu, *pfn);
        }
        if !unlisted_first {
            let _tables = self.tables.users.lock(cpu);
            self.unlist(cpu, mm);
        }
    }

    /// Takes an address space off the list, and with the same hold of the mutex its tables from the hypervisor. Otherwise:
    ///
    /// ```text
    ///   c0 drops an address space             c1 frees a kernel table
    ///   takes it off the list
    ///                                         clears the kernel's entry for it, and
    ///                                         those of all copies on the list
    ///                                         gives its page back: by the entry of the
    ///                                         copy it is held as a table all the same
    ///   unpins the copy
    /// ```
    fn unlist_and_unpin(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let _tables = self.tables.users.lock(cpu);
        self.unlist(cpu, mm);
        self.pv.unpin_tree(cpu, mm.root());
    }

    /// The mutex over the tables is held.
    fn unlist(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let _copies = self.mms.lock.lock(cpu);
        self.mms.list.borrow_mut().retain(|listed| listed.root() != mm.root());
    }

    /// Has every CPU that is in an address space load the kernel's own, and waits until it has (`xen_drop_mm_ref`): who is
    /// asked need not listen at once.
    ///
    /// ```text
    ///   c0 drop-mm m0, without waiting        c1, in m0
    ///   c1 is in m0: interrupts it
    ///                                         interrupts off, or just not there yet
    ///   frees the tables of m0
    ///                                         walks tables that were freed
    ///                                         takes the interrupt: leaves m0
    /// ```
    fn evict(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let root = u64::from(mm.root().0);
        if cpu.load(self.mms.of(cpu.id())) == root {
            self.switch_mm(cpu, None);
        }
        let leave = self.mms.leave.at(cpu.id().into());
        for other in (0..cpu.bus().cpus()).filter(|other| *other != cpu.id()) {
            let var = self.mms.of(other);
            if cpu.load(var) == root {
                // Locked, since an interrupt overtakes what waits in the store buffer.
                cpu.swap(leave, root);
                self.pv.send_ipi(cpu, other, LEAVE_MM_VECTOR);
                if self.protocol.does(Step::AwaitLeaving) {
                    let (until, holder) = (Until::IsNot(root), Holder::Cpu(other));
                    cpu.wait(Wait { var, until, holder, kind: WaitKind::Acknowledge });
                    // The root may be that of another address space soon, and the interrupt still to come.
                    cpu.swap(leave, NONE);
                }
            }
        }
    }

    /// The target's side. It may have left by itself meanwhile, and must stay where it is then:
    ///
    /// ```text
    ///   c0 drop-mm m0                         c1 switch-mm m1
    ///                                         interrupts off
    ///   c1 is in m0: interrupts it
    ///                                         loads m1
    ///   c1 is not in m0: goes on
    ///                                         interrupts on: leaves m1, which nobody drops
    /// ```
    pub(crate) fn leave_mm_handler(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        let asked = cpu.load(self.mms.leave.at(interrupt.from.into()));
        let is_in = cpu.load(self.mms.of(cpu.id()));
        if self.protocol.does(Step::CheckBeforeLeaving) && is_in != asked {
            return;
        }
        self.switch_mm(cpu, None);
    }

    /// The tables of an address space are ordinary zeroed pages from now on.
    fn end_tables(&self, cpu: &Cpu<'_>, mm: &Mm) {
        for pfn in &mm.pages {
            self.pv.end_table(cpu, *pfn);
            cpu.clear_frame(self.pv.frame_of(*pfn));
        }
    }
}
