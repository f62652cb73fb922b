//! Slots for small mappings: from a block of this CPU, or from a new one.

use super::area::OF_A_BLOCK;
use super::block::{Queue, Slots, VmapBlock, slots_for};
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::table_pages::MapError;
use crate::vpn::Vpn;
use machine::Cpu;
use std::rc::Rc;

impl<P: PvMmu> Kernel<P> {
    /// Finds slots for a small mapping (`vb_alloc`). Returns the first page.
    pub(super) fn vb_alloc(&self, cpu: &Cpu<'_>, pages: u64) -> Result<Vpn, MapError> {
        let wanted = slots_for(pages);
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

    /// Takes slots of a block, if it still has enough.
    fn take_slots(&self, cpu: &Cpu<'_>, queue: &Queue, block: &Rc<VmapBlock>, wanted: u32) -> Option<Vpn> {
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
    fn new_vmap_block(&self, cpu: &Cpu<'_>, wanted: u32) -> Result<Vpn, MapError> {
        let blocks = &self.vmalloc.blocks;
        let block = blocks.take_unused(cpu.bus()).ok_or(MapError::NoMemory)?;
        let len = u64::from(blocks.slots);
        let first = match self.get_area(cpu, len, len, OF_A_BLOCK) {
            Ok(first) => first,
            Err(error) => {
                blocks.put_unused(block);
                return Err(error);
            }
        };
        let queue = blocks.queues.this(cpu);
        block.first.set(first);
        block.home.set(cpu.id());
        block.live.set(true);
        let free = blocks.slots - wanted;
        *block.slots.lock(cpu) = Slots::of_new_block(free, wanted);
        cpu.store(block.free, u64::from(free));
        let _listed = queue.lock.lock(cpu);
        blocks.index.borrow_mut().insert(first, Rc::clone(&block));
        queue.all.borrow_mut().push(Rc::clone(&block));
        if free != 0 {
            queue.free.borrow_mut().push(block);
        }
        Ok(first)
    }
}
