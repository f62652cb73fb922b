//! `set_memory_wc` and `set_memory_wb`: how processors cache an area that owns its pages.
//!
//! What must hold is that no page is reached under two memory types at once, through tables or through any TLB (rule 12):
//! processors that cache a line under one type and reach around the caches under the other lose each other's writes. So a
//! page changes its type only when no alias of it is left that stands for another.
//!
//! A page may have been another area's before, of which some CPU still has a lazy alias ("XEN and PAT and such do not like
//! deferred TLB flushing", seed 004):
//!
//! ```text
//!   c0                                    c1's TLB
//!   vfree: lazily                         the old area, write-back
//!   vmalloc gets the same page
//!   set_memory_wc, flush the new area
//!   and the direct map                    the old area, write-back
//! ```
//!
//! So aliases are drained first. When the type goes back to the usual one there is nothing to drain: memory that had another
//! type is never unmapped lazily. But the change is to be flushed then as well:
//!
//! ```text
//!   c0 set_memory_wb                      c1's TLB
//!   area and direct map: write-back       write-combining, from before
//!   returns
//! ```
//!
//! A kernel then writes back what its caches hold of the page (`cpa_flush`). The machine has no caches, and this file no such step.

use super::vmalloc_area::VmStruct;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::Step;
use machine::{Cpu, Flags};
use oracle::vocabulary::MemoryType;

/// What selects a memory type in an entry: the first of the page-attribute table is write-back, the second (PWT alone) is set
/// up as write-combining.
pub(super) const fn flags(memory_type: MemoryType) -> Flags {
    match memory_type {
        MemoryType::WriteBack => Flags::empty(),
        MemoryType::WriteCombining => Flags::WRITE_THROUGH,
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Changes the memory type of an area, and of the direct map of its pages; afterwards no CPU has another one for them.
    /// The caller may sleep.
    pub fn set_memory_type(&self, cpu: &Cpu<'_>, first: u64, memory_type: MemoryType) {
        let resets = self.protocol.does(Step::ResetTypeAtFree);
        let vm = self.change_vm_struct(cpu, first, |vm| {
            vm.memory_type = memory_type;
            vm.flush_reset_perms |= resets;
        });
        let flushes = match memory_type {
            MemoryType::WriteCombining => {
                if self.protocol.does(Step::DrainBeforeRetype) && self.vm_unmap_aliases(cpu).is_err() {
                    cpu.bug("a memory type is changed where nobody may sleep");
                }
                Step::FlushAfterRetype
            }
            MemoryType::WriteBack => Step::FlushAfterTypeReturns,
        };
        let direct_map = self.protocol.does(Step::RetypeDirectMap);
        self.change_attributes(cpu, first, &vm, direct_map);
        if self.protocol.does(flushes) {
            self.flush_aliases(cpu, first, &vm);
        }
    }

    /// Changes what is known of an area that owns its pages. Returns what that is from now on.
    pub(super) fn change_vm_struct(
        &self,
        cpu: &Cpu<'_>,
        first: u64,
        change: impl FnOnce(&mut VmStruct),
    ) -> VmStruct {
        let mut owners = self.vmalloc.owners.borrow_mut();
        let Some(vm) = owners.get_mut(&first) else {
            cpu.bug("an area is changed that owns no pages");
        };
        change(vm);
        *vm
    }
}
