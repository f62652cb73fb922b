//! Per-CPU vmap blocks: a small mapping takes slots of a block of its CPU and no lock that other CPUs want.
//!
//! Slots are handed out once, upwards; a slot that is freed is *dirty* until a drain flushes it, and is not handed out
//! again before the whole block is freed and its range has gone through a purge. A block goes through
//!
//! ```text
//!   on its queue's free list ──all slots handed out──▶ on no list ──all slots dirty──▶ an area on the lazy list
//! ```
//!
//! and in the middle state it may have dirty slots: so a drain walks *all* blocks (rule 5).
//!
//! Here is what a block is, and how its slots come back; `new_block.rs` makes blocks and hands slots out.

use super::lazy::{Hull, LazyArea, Leaves};
use super::slot_map::SlotMap;
use crate::family;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{PteClear, Step};
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, PerCpu, SpinLock};
use crate::vpn::{PageRange, Vpn};
use machine::{Bus, Cpu, Var};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

const BLOCK_LOCK: LockClass = LockClass { family: family::BLOCK_LOCK, name: "vb->lock" };
const QUEUE_LOCK: LockClass = LockClass { family: family::BLOCK_QUEUE_LOCK, name: "vbq->lock" };

/// What is given back after a grace period.
#[derive(Debug)]
pub enum RcuCallback {
    /// A block of slots that no CPU finds any more.
    VmapBlock(Rc<VmapBlock>),
    /// Tables of address spaces that no entry leads to any more (`mmu_table_batch`).
    Tables(Vec<Pfn>),
}

/// What a drain found in the blocks.
#[derive(Debug)]
pub(super) struct DirtyBlocks {
    /// All their dirty slots.
    pub(super) hull: Hull,
    /// How many blocks stop counting as dirty, once flushed.
    pub(super) blocks: u64,
}

impl DirtyBlocks {
    /// No dirty slot.
    pub(super) const NONE: Self = Self { hull: Hull::EMPTY, blocks: 0 };
}

/// A block of slots (`vmap_block`).
#[derive(Debug)]
pub struct VmapBlock {
    pub(super) first: Cell<Vpn>,
    pub(super) home: Cell<u8>,
    /// Whether it is in use, or waits for the grace period after which it may be used again.
    pub(super) live: Cell<bool>,
    /// Slots not handed out yet; written under the lock, read without it first.
    pub(super) free: Var,
    pub(super) slots: SpinLock<Slots>,
}

/// What the lock of a block protects.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) free: u32,
    pub(super) used_map: SlotMap,
    dirty: u32,
    /// Dirty, and not flushed since.
    unflushed: SlotMap,
}

impl Slots {
    /// The first `used` slots are handed out, and `free` others are not.
    pub(super) fn of_new_block(free: u32, used: u32) -> Self {
        let mut slots = Self { free, ..Self::default() };
        slots.used_map.insert(0..used);
        slots
    }

    /// The pages of a block around all its unflushed slots.
    fn unflushed_hull(&self, first: Vpn, hull: &mut Hull) {
        if let Some(slots) = self.unflushed.hull() {
            hull.add(PageRange {
                first: first + u64::from(slots.start),
                pages: u64::from(slots.end - slots.start),
            });
        }
    }
}

/// One CPU's blocks (`vmap_block_queue`). The lists are read under RCU and changed under the lock.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) lock: SpinLock<()>,
    pub(super) free: RefCell<Vec<Rc<VmapBlock>>>,
    pub(super) all: RefCell<Vec<Rc<VmapBlock>>>,
}

/// All blocks of all CPUs.
#[derive(Debug)]
pub struct Blocks {
    pub(super) queues: PerCpu<Queue>,
    /// By their first page.
    pub(super) index: RefCell<BTreeMap<Vpn, Rc<VmapBlock>>>,
    unused: RefCell<Vec<Rc<VmapBlock>>>,
    made: Cell<u32>,
    /// Blocks with unflushed slots, or whose slots a drain has collected and not flushed yet.
    dirty: Var,
    lockdep: Rc<Lockdep>,
    most: u32,
    /// Slots of a block.
    pub(super) slots: u32,
}

impl Blocks {
    /// No block yet.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, sizes: Sizes) -> Self {
        let queue = |_| Queue {
            lock: SpinLock::new(bus, lockdep, QUEUE_LOCK, ()),
            free: RefCell::default(),
            all: RefCell::default(),
        };
        Self {
            queues: PerCpu::new(bus, queue),
            index: RefCell::default(),
            unused: RefCell::default(),
            made: Cell::new(0),
            dirty: bus.memory.var(family::DIRTY_BLOCKS),
            lockdep: Rc::clone(lockdep),
            most: Self::most(sizes),
            slots: sizes.block_slots(),
        }
    }

    /// The most block structures: twice what the address space holds, for those that wait for a grace period.
    fn most(sizes: Sizes) -> u32 {
        (2 * sizes.vmalloc_pages() / u64::from(sizes.block_slots())).min(4096) as u32
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8, sizes: Sizes) -> u32 {
        1 + u32::from(cpus) + 2 * Self::most(sizes)
    }

    /// How many blocks a drain has to look at.
    pub(super) fn dirty_blocks(&self) -> Var {
        self.dirty
    }

    /// A block was not needed after all.
    pub(super) fn put_unused(&self, block: Rc<VmapBlock>) {
        self.unused.borrow_mut().push(block);
    }

    /// The grace period of a freed block has passed: no CPU looks at it any more.
    pub fn give_back(&self, block: Rc<VmapBlock>) {
        block.live.set(false);
        self.put_unused(block);
    }

    /// A block that is in no use, if there may be one more.
    pub(super) fn take_unused(&self, bus: &Bus) -> Option<Rc<VmapBlock>> {
        if let Some(block) = self.unused.borrow_mut().pop() {
            return Some(block);
        }
        if self.made.get() == self.most {
            return None;
        }
        self.made.set(self.made.get() + 1);
        Some(Rc::new(VmapBlock {
            first: Cell::new(Vpn(0)),
            home: Cell::new(0),
            live: Cell::new(false),
            free: bus.memory.var(family::BLOCK_FREE),
            slots: SpinLock::new(bus, &self.lockdep, BLOCK_LOCK, Slots::default()),
        }))
    }

    /// What is left although everything was given back.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = Vec::new();
        if !self.index.borrow().is_empty() {
            left.push("vmap blocks are still in use".to_owned());
        }
        if bus.memory.value(self.dirty) != 0 {
            left.push("vmap blocks still count as dirty".to_owned());
        }
        left
    }
}

/// The slots of a small mapping are handed out in powers of two, as Linux does.
pub(super) fn slots_for(pages: u64) -> u32 {
    pages.next_power_of_two() as u32
}

impl<P: PvMmu> Kernel<P> {
    /// Gives the slots of a small mapping back (`vb_free`).
    ///
    /// The entries are cleared before the slots count as dirty: as soon as they do, a drain may flush them and call them
    /// clean.
    ///
    /// ```text
    ///   c0, in the other order        c1 drain                        c2's walker
    ///   mark the slot dirty
    ///                                 collect it, flush everywhere
    ///                                                                 walks: the entry is still there
    ///   clear the entry
    ///                                 (nothing is dirty: no later drain looks)
    /// ```
    pub(super) fn vb_free(&self, cpu: &Cpu<'_>, first: Vpn, pages: u64) {
        let blocks = &self.vmalloc.blocks;
        let base = Vpn(first.0 - first.0 % u64::from(blocks.slots));
        let found = blocks.index.borrow().get(&base).map(Rc::clone);
        let Some(block) = found else { cpu.bug("slots are freed of a block that does not exist") };
        let wanted = slots_for(pages);
        let offset = (first - base) as u32;
        let slots = offset..offset + wanted;
        block.slots.lock(cpu).used_map.remove(slots.clone());
        let clears = self.protocol.designs.pte_clear == PteClear::AtVunmap;
        let range = PageRange { first, pages };
        let clear = || {
            if clears {
                self.unmap_pages(cpu, range);
            }
        };
        let ((), spent) =
            self.protocol.in_order(Step::ClearBeforeDirty, clear, || self.mark_dirty(cpu, &block, slots));
        if spent {
            self.free_vmap_block(cpu, &block);
        }
    }

    /// Marks slots dirty. Returns whether every slot of the block is now.
    fn mark_dirty(&self, cpu: &Cpu<'_>, block: &VmapBlock, slots: Range<u32>) -> bool {
        let blocks = &self.vmalloc.blocks;
        let mut state = block.slots.lock(cpu);
        if state.unflushed.is_empty() {
            cpu.fetch_add(blocks.dirty, 1);
        }
        state.dirty += slots.end - slots.start;
        state.unflushed.insert(slots);
        state.dirty == blocks.slots
    }

    /// A block whose slots are all dirty goes: its range onto the lazy list, the structure after a grace period.
    ///
    /// Slots that were freed earlier may still be unflushed, and a drain must find them at every moment: as slots of a
    /// block that it walks, or as an area on the lazy list, which it takes afterwards. So they change over under the
    /// lock of the block, and only then the block leaves the lists:
    ///
    /// ```text
    ///   c0, in the other order        c1 drain
    ///   take the block off the lists
    ///                                 walks the blocks: not there
    ///                                 takes the lazy list: not there; returns
    ///   put its area on the lazy list
    /// ```
    fn free_vmap_block(&self, cpu: &Cpu<'_>, block: &Rc<VmapBlock>) {
        let blocks = &self.vmalloc.blocks;
        let first = block.first.get();
        let pages = self.vmalloc.space.unlink(cpu, first);
        {
            let mut slots = block.slots.lock(cpu);
            let counted = !std::mem::take(&mut slots.unflushed).is_empty();
            let area = LazyArea { first, pages, state: self.freed(), leaves: Leaves::Small };
            self.free_vmap_area_noflush(cpu, area);
            if counted {
                cpu.fetch_sub(blocks.dirty, 1);
            }
        }
        {
            let queue = blocks.queues.of(block.home.get());
            let _listed = queue.lock.lock(cpu);
            queue.all.borrow_mut().retain(|other| !Rc::ptr_eq(other, block));
            // The range may be purged by now, and belong to the next block.
            let mut index = blocks.index.borrow_mut();
            if index.get(&first).is_some_and(|found| Rc::ptr_eq(found, block)) {
                index.remove(&first);
            }
        }
        self.rcu.call(RcuCallback::VmapBlock(Rc::clone(block)));
    }

    /// Every block that a drain looks at: all live ones. It would not do to look at the free lists, which a block leaves
    /// when its last slot is handed out.
    fn blocks_to_drain(&self) -> Vec<Rc<VmapBlock>> {
        let all = self.protocol.does(Step::DrainWalksAllBlocks);
        let list = |queue: &Queue| if all { queue.all.borrow().clone() } else { queue.free.borrow().clone() };
        self.vmalloc.blocks.queues.iter().flat_map(list).collect()
    }

    /// Takes the unflushed slots of all blocks, to be flushed before the purge mutex, which is held, is released. Blocks
    /// that are used up are freed on the way.
    pub(super) fn collect_dirty_blocks(&self, cpu: &Cpu<'_>) -> DirtyBlocks {
        let mut found = DirtyBlocks::NONE;
        let _reading = self.rcu.read_lock(cpu);
        for block in self.blocks_to_drain() {
            if self.purge_fragmented_block(cpu, &block, false) {
                continue;
            }
            let mut slots = block.slots.lock(cpu);
            if !slots.unflushed.is_empty() {
                let first = block.first.get();
                slots.unflushed_hull(first, &mut found.hull);
                found.blocks += 1;
                let unflushed = std::mem::take(&mut slots.unflushed);
                if self.protocol.designs.pte_clear == PteClear::AtPurge {
                    self.clear_slots(cpu, first, unflushed);
                }
            }
        }
        found
    }

    /// Clears the entries of all unflushed slots, which stay unflushed.
    pub(super) fn clear_dirty_slots(&self, cpu: &Cpu<'_>) {
        let _reading = self.rcu.read_lock(cpu);
        for block in self.blocks_to_drain() {
            let slots = block.slots.lock(cpu);
            self.clear_slots(cpu, block.first.get(), slots.unflushed);
        }
    }

    fn clear_slots(&self, cpu: &Cpu<'_>, first: Vpn, slots: SlotMap) {
        for slot in slots.iter() {
            self.unmap_pages(cpu, PageRange { first: first + u64::from(slot), pages: 1 });
        }
    }

    /// Frees the blocks of which no slot is in use, although some were never handed out: the space is needed.
    pub(super) fn purge_fragmented_blocks(&self, cpu: &Cpu<'_>) {
        let _reading = self.rcu.read_lock(cpu);
        for queue in self.vmalloc.blocks.queues.iter() {
            let candidates = queue.free.borrow().clone();
            for block in candidates {
                self.purge_fragmented_block(cpu, &block, true);
            }
        }
    }

    /// Frees a block of which no slot is in use; unless forced, only if few are left to hand out. Returns whether it did.
    fn purge_fragmented_block(&self, cpu: &Cpu<'_>, block: &Rc<VmapBlock>, forced: bool) -> bool {
        let all = self.vmalloc.blocks.slots;
        {
            let mut slots = block.slots.lock(cpu);
            if !block.live.get() {
                cpu.bug("a vmap block is used after its grace period");
            }
            let idle = slots.free + slots.dirty == all && slots.dirty != all;
            if !idle || !(forced || slots.free < all / 4) {
                return false;
            }
            // No CPU takes slots from it any more, and no other frees it.
            slots.free = 0;
            slots.dirty = all;
            cpu.store(block.free, 0);
            let queue = self.vmalloc.blocks.queues.of(block.home.get());
            let _listed = queue.lock.lock(cpu);
            queue.free.borrow_mut().retain(|other| !Rc::ptr_eq(other, block));
        }
        self.free_vmap_block(cpu, block);
        true
    }
}
