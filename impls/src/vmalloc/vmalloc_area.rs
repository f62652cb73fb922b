//! `vmalloc` and `vfree`: areas that own their pages; and `set_memory_*`, which changes what such an area allows (for its
//! memory type see `memory_type`).
//!
//! A page of such an area has two aliases: one in the area, one in the direct map. What must hold is that no page is
//! writable by one and executable by the other, through tables or through any TLB (rule 12):
//!
//! ```text
//!   c0 set_memory_rox, in one step        c1
//!   area: X     direct map: W             its TLB: the direct map, W
//!   direct map: read-only
//!   flush everywhere                      forgets it
//!   returns: the page can be executed, and nobody can write it
//! ```

use super::lazy::{Freed, LazyArea, Leaves};
use super::vm_struct::VmStruct;
use crate::direct_map;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::Step;
use crate::table_pages::MapError;
use crate::vpn::Vpn;
use machine::{Cpu, Flags};
use oracle::vocabulary::Access;

impl<P: PvMmu> Kernel<P> {
    /// Allocates pages and maps them side by side, readable and writable. Returns the first page.
    pub fn vmalloc(&self, cpu: &Cpu<'_>, count: u8) -> Result<Vpn, MapError> {
        let mut vm = VmStruct::empty();
        while vm.len < count {
            let Some(pfn) = self.direct.free.alloc(&self.pv, cpu) else {
                self.free_pages_of(cpu, &vm);
                return Err(MapError::NoMemory);
            };
            vm.push(pfn);
        }
        match self.vmap(cpu, vm.pages()) {
            Ok(first) => {
                self.vmalloc.owners.borrow_mut().insert(first, vm);
                Ok(first)
            }
            Err(error) => {
                self.free_pages_of(cpu, &vm);
                Err(error)
            }
        }
    }

    fn free_pages_of(&self, cpu: &Cpu<'_>, vm: &VmStruct) {
        match vm.leaves {
            Leaves::Small => vm.pages().iter().for_each(|pfn| self.direct.free.free(&self.pv, cpu, *pfn)),
            Leaves::Large => self.direct.free_large.free(&self.pv, cpu, vm.pages()[0]),
        }
    }

    /// Changes what an area allows, and what the direct map of its pages does; afterwards no CPU can do more
    /// (`change_page_attr_set_clr`). The caller may sleep.
    ///
    /// A page may have been another area's before, of which some CPU still has a lazy alias: writable, as all are. So
    /// aliases are drained before a page is to have any restricted permission:
    ///
    /// ```text
    ///   c0                                    c1's TLB
    ///   vfree: lazily                         the old area, W
    ///   vmalloc gets the same page
    ///   set_memory_rox, flush the new area
    ///   and the direct map                    the old area, W: the page is writable, and executed by c0
    /// ```
    ///
    /// The direct map changes with the area, for it leads to the same pages; and both are flushed, for the tables do not say
    /// what a CPU remembers:
    ///
    /// ```text
    ///   c0 set_memory_ro, tables only         c1
    ///                                         its TLB: the direct map, W
    ///   area, direct map: read-only
    ///   returns: nobody can write the page
    ///                                         writes through the direct map
    /// ```
    pub fn set_memory(&self, cpu: &Cpu<'_>, first: Vpn, access: Access) {
        let vm = self.change_vm_struct(cpu, first, |vm| {
            vm.access = access;
            vm.flush_reset_perms = true;
        });
        if self.protocol.does(Step::DrainBeforeProtect) && self.vm_unmap_aliases(cpu).is_err() {
            cpu.bug("permissions are changed where the caller may not sleep");
        }
        self.change_attributes(cpu, first, &vm, self.protocol.does(Step::ProtectDirectMap));
        if self.protocol.does(Step::FlushAfterProtect) {
            self.flush_aliases(cpu, first, &vm);
        }
    }

    /// Frees an area and its pages (`vfree`): lazily, if it was never anything but readable and
    /// writable, and write-back.
    pub fn vfree(&self, cpu: &Cpu<'_>, first: Vpn) {
        let Some(vm) = self.vmalloc.owners.borrow_mut().remove(&first) else {
            cpu.bug("an area is freed that owns no pages");
        };
        if vm.flush_reset_perms {
            self.vm_reset_perms(cpu, first, &vm);
        } else {
            let pages = self.vmalloc.space.unlink(cpu, first);
            let area = LazyArea { first, pages, state: Freed::Mapped, leaves: vm.leaves };
            self.free_area(cpu, area, u64::from(vm.len));
        }
        self.free_pages_of(cpu, &vm);
    }

    /// Unmaps an area whose permissions or memory type were changed, and takes the direct map of its pages back to the default. One
    /// flush stands between the two, over the area and all of those aliases. Meanwhile the direct map has no entry, so
    /// that no CPU gets one that is writable while another may still execute:
    ///
    /// ```text
    ///   c0, in the other order                c1
    ///   area: unmapped                        its TLB: the area, X
    ///   direct map: W
    ///                                         writes through the direct map what it executes next
    ///   flush everywhere
    /// ```
    ///
    /// Without the flush, what it executes can be written for as long as it happens to remember the area:
    ///
    /// ```text
    ///   c0, with no flush at all              c1
    ///   area: unmapped                        its TLB: the area, X
    ///   direct map: W
    ///   returns; somebody gets the page
    ///   and writes to it                      executes that
    /// ```
    ///
    /// Nor may a walker bring back, after the flush, an entry with the other memory type:
    ///
    /// ```text
    ///   c0, with the entry left in            c1
    ///   flush everywhere
    ///                                         a walk caches the direct map: WC
    ///   direct map: WB
    /// ```
    ///
    /// That the direct map is flushed too saves its next owner a spurious fault, no more: an alias left from before
    /// allows less than the tables, and x86 walks again before it faults for good. Where the memory type was changed it must
    /// be flushed: the next owner has another.
    fn vm_reset_perms(&self, cpu: &Cpu<'_>, first: Vpn, vm: &VmStruct) {
        let pages = self.vmalloc.space.unlink(cpu, first);
        let area = LazyArea { first, pages, state: Freed::Cleared, leaves: vm.leaves };
        self.unmap_area(cpu, &area, u64::from(vm.len));
        if self.protocol.does(Step::NoEntryWhileFlushed) {
            self.set_direct_map(cpu, vm, Flags::empty());
        }
        let flush = || {
            if self.protocol.does(Step::FlushAtReset) {
                // From the lower of the ranges to the end of the higher there are more pages than any ceiling.
                self.tlb.flush(self, cpu, FlushRequest::EVERYTHING);
            }
        };
        let set_default = || self.set_direct_map(cpu, vm, direct_map::DEFAULT);
        self.protocol.in_order(Step::DefaultAfterFlush, flush, set_default);
        self.free_cleared_area(cpu, area);
    }
}
