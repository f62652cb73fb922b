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

use super::purge::{DirtyBlocks, Hull, LazyArea, Leaves};
use super::slot_map::SlotMap;
use crate::family;
use crate::kernel::{Kernel, RcuCallback};
use crate::kernel_tables::MapError;
use crate::paravirt::{PageRange, PvMmu};
use crate::protocol::{PteClear, Step};
use crate::sizes::Sizes;
use crate::sync::{LockClass, Lockdep, PerCpu, SpinLock};
use machine::{Bus, Cpu, Var};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

const BLOCK_LOCK: LockClass = LockClass { family: family::BLOCK_LOCK, name: "vb->lock" };
const QUEUE_LOCK: LockClass = LockClass { family: family::BLOCK_QUEUE_LOCK, name: "vbq->lock" };

/// A block of slots (`vmap_block`).
#[derive(Debug)]
pub struct VmapBlock {
    first: Cell<u64>,
    home: Cell<u8>,
    /// Whether it is in use, or waits for the grace period after which it may be used again.
    live: Cell<bool>,
    /// Slots not handed out yet; written under the lock, read without it first.
    free: Var,
    slots: SpinLock<Slots>,
}

/// What the lock of a block protects.
#[derive(Debug, Default)]
struct Slots {
    free: u32,
    used_map: SlotMap,
    dirty: u32,
    /// Dirty, and not flushed since.
    unflushed: SlotMap,
}

impl Slots {
    /// The pages of a block around all its unflushed slots.
    fn unflushed_hull(&self, first: u64, hull: &mut Hull) {
        if let Some(slots) = self.unflushed.hull() {
            hull.add(first + u64::from(slots.start), u64::from(slots.end - slots.start));
        }
    }
}

/// One CPU's blocks (`vmap_block_queue`). The lists are read under RCU and changed under the lock.
#[derive(Debug)]
struct Queue {
    lock: SpinLock<()>,
    free: RefCell<Vec<Rc<VmapBlock>>>,
    all: RefCell<Vec<Rc<VmapBlock>>>,
}

/// All blocks of all CPUs.
#[derive(Debug)]
pub struct Blocks {
    queues: PerCpu<Queue>,
    /// By the number of their first page.
    index: RefCell<BTreeMap<u64, Rc<VmapBlock>>>,
    unused: RefCell<Vec<Rc<VmapBlock>>>,
    made: Cell<u32>,
    /// Blocks with unflushed slots, or whose slots a drain has collected and not flushed yet.
    dirty: Var,
    lockdep: Rc<Lockdep>,
    most: u32,
    slots: u32,
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

    /// At most so many block structures: twice what the address space holds, for those that wait for a grace period.
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

    /// The grace period of a freed block has passed: nobody looks at it any more.
    pub fn give_back(&self, block: Rc<VmapBlock>) {
        block.live.set(false);
        self.unused.borrow_mut().push(block);
    }

    fn take_unused(&self, bus: &Bus) -> Option<Rc<VmapBlock>> {
        if let Some(block) = self.unused.borrow_mut().pop() {
            return Some(block);
        }
        if self.made.get() == self.most {
            return None;
        }
        self.made.set(self.made.get() + 1);
        Some(Rc::new(VmapBlock {
            first: Cell::new(0),
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

impl<P: PvMmu> Kernel<P> {
    /// The slots of a small mapping are handed out in powers of two, as Linux does.
    fn slots_for(pages: u64) -> u32 {
        pages.next_power_of_two() as u32
    }

    /// Finds slots for a small mapping (`vb_alloc`). Returns the number of the first page.
    pub(super) fn vb_alloc(&self, cpu: &Cpu<'_>, pages: u64) -> Result<u64, MapError> {
        let wanted = Self::slots_for(pages);
        let reading = self.rcu.read_lock(cpu);
        let queue = self.vmalloc.blocks.queues.this(cpu);
        let candidates = queue.free.borrow().clone();
        for block in &candidates {
            if cpu.load(block.free) < u64::from(wanted) {
                continue;
            }
            if let Some(first) = self.take_slots(cpu, queue, block, wanted) {
                return Ok(first);
            }
        }
        drop(reading);
        self.new_vmap_block(cpu, wanted)
    }

    /// Takes slots of a block, if it still has so many.
    fn take_slots(&self, cpu: &Cpu<'_>, queue: &Queue, block: &Rc<VmapBlock>, wanted: u32) -> Option<u64> {
        let mut slots = block.slots.lock(cpu);
        if !block.live.get() {
            cpu.bug("a vmap block is used after its grace period");
        }
        if slots.free < wanted {
            return None;
        }
        let offset = self.vmalloc.blocks.slots - slots.free;
        slots.free -= wanted;
        slots.used_map.insert(offset..offset + wanted);
        cpu.store(block.free, u64::from(slots.free));
        if slots.free == 0 {
            let _listed = queue.lock.lock(cpu);
            queue.free.borrow_mut().retain(|other| !Rc::ptr_eq(other, block));
        }
        Some(block.first.get() + u64::from(offset))
    }

    /// Makes a block, and takes its first slots (`new_vmap_block`).
    fn new_vmap_block(&self, cpu: &Cpu<'_>, wanted: u32) -> Result<u64, MapError> {
        let blocks = &self.vmalloc.blocks;
        let block = blocks.take_unused(cpu.bus()).ok_or(MapError::NoMemory)?;
        let len = u64::from(blocks.slots);
        let Some(first) = self.alloc_vmap_area(cpu, len, len, 0) else {
            blocks.unused.borrow_mut().push(block);
            return Err(MapError::NoMemory);
        };
        let range = PageRange { first, pages: len };
        if let Err(error) = self.populate(cpu, range) {
            self.free_unmapped_area(cpu, first, len);
            blocks.unused.borrow_mut().push(block);
            return Err(error);
        }
        self.flush_on_map(cpu, range);
        let queue = blocks.queues.this(cpu);
        block.first.set(first);
        block.home.set(cpu.id());
        block.live.set(true);
        let free = blocks.slots - wanted;
        {
            let mut slots = block.slots.lock(cpu);
            *slots = Slots { free, ..Slots::default() };
            slots.used_map.insert(0..wanted);
        }
        cpu.store(block.free, u64::from(free));
        let _listed = queue.lock.lock(cpu);
        blocks.index.borrow_mut().insert(first, Rc::clone(&block));
        queue.all.borrow_mut().push(Rc::clone(&block));
        if free != 0 {
            queue.free.borrow_mut().push(block);
        }
        Ok(first)
    }

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
    pub(super) fn vb_free(&self, cpu: &Cpu<'_>, first: u64, pages: u64) {
        let blocks = &self.vmalloc.blocks;
        let base = first - first % u64::from(blocks.slots);
        let found = blocks.index.borrow().get(&base).map(Rc::clone);
        let Some(block) = found else { cpu.bug("slots are freed of a block that does not exist") };
        let wanted = Self::slots_for(pages);
        let offset = (first - base) as u32;
        let slots = offset..offset + wanted;
        block.slots.lock(cpu).used_map.remove(slots.clone());
        let clears = self.protocol.designs.pte_clear == PteClear::AtVunmap;
        let range = PageRange { first, pages };
        let spent = if self.protocol.does(Step::ClearBeforeDirty) {
            if clears {
                self.unmap_pages(cpu, range);
            }
            self.mark_dirty(cpu, &block, slots)
        } else {
            let spent = self.mark_dirty(cpu, &block, slots);
            if clears {
                self.unmap_pages(cpu, range);
            }
            spent
        };
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
        let pages = self.unlink_area(cpu, first);
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
        let mut found = DirtyBlocks { hull: Hull::EMPTY, blocks: 0 };
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

    fn clear_slots(&self, cpu: &Cpu<'_>, first: u64, slots: SlotMap) {
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
            // Nobody takes slots from it any more, and nobody else frees it.
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
