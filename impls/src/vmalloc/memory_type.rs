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

use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::Step;
use crate::vpn::Vpn;
use machine::Cpu;
use oracle::vocabulary::MemoryType;

impl<P: PvMmu> Kernel<P> {
    /// Changes the memory type of an area, and of the direct map of its pages; afterwards no CPU has another one for them.
    /// The caller may sleep.
    pub fn set_memory_type(&self, cpu: &Cpu<'_>, first: Vpn, memory_type: MemoryType) {
        let resets = self.protocol.does(Step::ResetTypeAtFree);
        let vm = self.change_vm_struct(cpu, first, |vm| {
            vm.memory_type = memory_type;
            vm.flush_reset_perms |= resets;
        });
        let flushes = match memory_type {
            MemoryType::WriteCombining => {
                if self.protocol.does(Step::DrainBeforeRetype) && self.vm_unmap_aliases(cpu).is_err() {
                    cpu.bug("a memory type is changed where the caller may not sleep");
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
}
