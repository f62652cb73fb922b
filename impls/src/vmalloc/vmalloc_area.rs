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

use super::memory_type;
use super::purge::{Freed, LazyArea, Leaves};
use crate::direct_map;
use crate::kernel::Kernel;
use crate::kernel_tables::{MapError, PAGE_KERNEL};
use crate::paravirt::{PageRange, Pfn, PvMmu};
use crate::protocol::{Drain, Step, UnmapFlush};
use machine::{Cpu, Flags};
use oracle::vocabulary::{Access, MAX_PAGES, MemoryType};

/// An area that owns its pages (`vm_struct`).
#[derive(Clone, Copy, Debug)]
pub struct VmStruct {
    pages: [Pfn; MAX_PAGES],
    len: u8,
    /// By what they are mapped; by one large entry those of a large page, which goes on behind them.
    leaves: Leaves,
    pub(super) access: Access,
    pub(super) memory_type: MemoryType,
    /// Its permissions or its memory type were changed: when it is freed, they are reset and flushed before anything is given back
    /// (`VM_FLUSH_RESET_PERMS`).
    pub(super) flush_reset_perms: bool,
}

impl VmStruct {
    /// An area of these pages, as all begin.
    const fn new(pages: [Pfn; MAX_PAGES], len: u8, leaves: Leaves) -> Self {
        let (access, memory_type) = (Access::ReadWrite, MemoryType::WriteBack);
        Self { pages, len, leaves, access, memory_type, flush_reset_perms: false }
    }

    /// Its pages, in the order of their addresses.
    pub fn pages(&self) -> &[Pfn] {
        &self.pages[..usize::from(self.len)]
    }

    /// The first pages of a large page.
    pub(super) fn of_large(first: Pfn, len: u8) -> Self {
        let pages = std::array::from_fn(|page| Pfn(first.0 + page as u32));
        Self::new(pages, len, Leaves::Large)
    }

    /// How many addresses have to be flushed to flush all of it.
    fn translations(&self) -> u64 {
        if self.leaves == Leaves::Large { 1 } else { u64::from(self.len) }
    }
}

/// The flags of an area's entries and of its pages' entries in the direct map, which never allows to execute.
fn flags(access: Access) -> (Flags, Flags) {
    let read_only = Flags::WRITABLE | Flags::DIRTY;
    match access {
        Access::ReadWrite => (PAGE_KERNEL, direct_map::DEFAULT),
        Access::ReadOnly => (PAGE_KERNEL.difference(read_only), direct_map::DEFAULT.difference(read_only)),
        Access::ReadExecute => {
            (PAGE_KERNEL.difference(read_only | Flags::NO_EXECUTE), direct_map::DEFAULT.difference(read_only))
        }
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Allocates pages and maps them side by side, readable and writable. Returns the number of the first page.
    pub fn vmalloc(&self, cpu: &Cpu<'_>, count: u8) -> Result<u64, MapError> {
        let mut vm = VmStruct::new([Pfn(0); MAX_PAGES], 0, Leaves::Small);
        while vm.len < count {
            let Some(pfn) = self.direct.free.alloc(&self.pv, cpu) else {
                self.free_pages_of(cpu, &vm);
                return Err(MapError::NoMemory);
            };
            vm.pages[usize::from(vm.len)] = pfn;
            vm.len += 1;
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
            Leaves::Large => self.direct.free_large.free(&self.pv, cpu, vm.pages[0]),
        }
    }

    /// The area of this kind that begins at a page.
    pub(crate) fn vm_struct(&self, first: u64) -> Option<VmStruct> {
        self.vmalloc.owners.borrow().get(&first).copied()
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
    pub fn set_memory(&self, cpu: &Cpu<'_>, first: u64, access: Access) {
        let vm = self.change_vm_struct(cpu, first, |vm| {
            vm.access = access;
            vm.flush_reset_perms = true;
        });
        if self.protocol.does(Step::DrainBeforeProtect) && self.vm_unmap_aliases(cpu).is_err() {
            cpu.bug("permissions are changed where nobody may sleep");
        }
        self.change_attributes(cpu, first, &vm, self.protocol.does(Step::ProtectDirectMap));
        if self.protocol.does(Step::FlushAfterProtect) {
            self.flush_aliases(cpu, first, &vm);
        }
    }

    /// Gives the entries of an area, and those of the direct map if wanted, the attributes that they are to have. Flushes
    /// nothing.
    pub(super) fn change_attributes(&self, cpu: &Cpu<'_>, first: u64, vm: &VmStruct, direct_map: bool) {
        let (of_area, of_direct_map) = flags(vm.access);
        let cached = memory_type::flags(vm.memory_type);
        let (of_area, of_direct_map) = (of_area | cached, of_direct_map | cached);
        self.pv.enter_lazy_mmu(cpu);
        match vm.leaves {
            Leaves::Small => {
                for (index, pfn) in vm.pages().iter().enumerate() {
                    self.protect_page(cpu, first + index as u64, *pfn, of_area);
                    if direct_map {
                        self.direct.set(&self.pv, cpu, *pfn, of_direct_map);
                    }
                }
            }
            // All of the large page belongs to the area: nothing has to be split.
            Leaves::Large => {
                self.protect_large(cpu, first, vm.pages[0], of_area);
                if direct_map {
                    self.direct.set_large(&self.pv, cpu, vm.pages[0], of_direct_map);
                }
            }
        }
        if self.pv.leave_lazy_mmu(cpu).is_err() {
            cpu.bug("the platform does not let attributes be changed");
        }
    }

    /// Flushes an area and the direct map of its pages, which need not be neighbours (`cpa_flush`). Where a drain of
    /// aliases need not have flushed, everything.
    pub(super) fn flush_aliases(&self, cpu: &Cpu<'_>, first: u64, vm: &VmStruct) {
        if self.protocol.designs.drain != Drain::Flush {
            self.flush_tlb_kernel_range(cpu, PageRange { first: 0, pages: u64::MAX });
            return;
        }
        let pages = vm.translations();
        self.flush_tlb_kernel_range(cpu, PageRange { first, pages });
        if vm.leaves == Leaves::Large {
            let first = self.direct.page_of(vm.pages[0]);
            self.flush_tlb_kernel_range(cpu, PageRange { first, pages });
        } else if self.protocol.does(Step::FlushEveryDirectAlias) {
            for run in self.direct.runs(vm.pages()) {
                self.flush_tlb_kernel_range(cpu, run);
            }
        } else {
            let first = self.direct.page_of(vm.pages[0]);
            self.flush_tlb_kernel_range(cpu, PageRange { first, pages });
        }
    }

    /// Frees an area and its pages (`vfree`): lazily, if it was never anything but readable and
    /// writable, and write-back.
    pub fn vfree(&self, cpu: &Cpu<'_>, first: u64) {
        let Some(vm) = self.vmalloc.owners.borrow_mut().remove(&first) else {
            cpu.bug("an area is freed that owns no pages");
        };
        if vm.flush_reset_perms {
            self.vm_reset_perms(cpu, first, &vm);
        } else {
            let pages = self.unlink_area(cpu, first);
            let area = LazyArea { first, pages, state: Freed::Mapped, leaves: vm.leaves };
            self.free_area(cpu, area, u64::from(vm.len));
        }
        self.free_pages_of(cpu, &vm);
    }

    /// Unmaps an area whose permissions or memory type were changed, and takes the direct map of its pages back to the default. One
    /// flush stands between the two, over the area and all of those aliases. Meanwhile the direct map has no entry, so
    /// that nobody gets one that is writable while somebody may still execute:
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
    fn vm_reset_perms(&self, cpu: &Cpu<'_>, first: u64, vm: &VmStruct) {
        let pages = self.unlink_area(cpu, first);
        let area = LazyArea { first, pages, state: Freed::Cleared, leaves: vm.leaves };
        self.unmap_area(cpu, &area, u64::from(vm.len));
        if self.protocol.does(Step::NoEntryWhileFlushed) {
            self.set_direct_map(cpu, vm, Flags::empty());
        }
        let early = !self.protocol.does(Step::DefaultAfterFlush);
        if early {
            self.set_direct_map(cpu, vm, direct_map::DEFAULT);
        }
        if self.protocol.does(Step::FlushAtReset) {
            // From the lower of the ranges to the end of the higher there are more pages than any ceiling.
            self.flush_tlb_kernel_range(cpu, PageRange { first: 0, pages: u64::MAX });
        }
        if !early {
            self.set_direct_map(cpu, vm, direct_map::DEFAULT);
        }
        if self.protocol.designs.unmap_flush == UnmapFlush::Eager {
            self.free_vmap_area_flush(cpu, area);
        } else {
            self.free_vmap_area_noflush(cpu, area);
        }
    }

    fn set_direct_map(&self, cpu: &Cpu<'_>, vm: &VmStruct, flags: Flags) {
        self.pv.enter_lazy_mmu(cpu);
        match vm.leaves {
            Leaves::Small => vm.pages().iter().for_each(|pfn| self.direct.set(&self.pv, cpu, *pfn, flags)),
            Leaves::Large => self.direct.set_large(&self.pv, cpu, vm.pages[0], flags),
        }
        if self.pv.leave_lazy_mmu(cpu).is_err() {
            cpu.bug("the platform refuses an entry of the direct map");
        }
    }

    /// Whether an access that just faulted need not have: the tables allow it, and what forbade it was cached before
    /// somebody widened the permissions (`spurious_kernel_fault`). The fault has dropped that.
    pub(crate) fn spurious_fault(&self, cpu: &Cpu<'_>, va: u64, write: bool) -> bool {
        self.leaf_entry(cpu, va).is_some_and(|leaf| {
            leaf.present() && if write { leaf.has(Flags::WRITABLE) } else { !leaf.has(Flags::NO_EXECUTE) }
        })
    }
}
