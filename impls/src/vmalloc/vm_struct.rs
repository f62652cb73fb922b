//! Areas that own their pages: what is known of them, and the attributes of their entries and of their pages' entries in the
//! direct map.
//!
//! Both are written alike: what an area may not do, nor may the direct map (rule 12).

use super::lazy::Leaves;
use crate::direct_map;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::PAGE_KERNEL;
use crate::protocol::{Drain, Step};
use crate::vpn::{PageRange, Vpn};
use machine::{Cpu, Flags};
use oracle::vocabulary::{Access, MAX_PAGES, MemoryType};

/// An area that owns its pages (`vm_struct`).
#[derive(Clone, Copy, Debug)]
pub struct VmStruct {
    pages: [Pfn; MAX_PAGES],
    pub(super) len: u8,
    /// By what they are mapped; by one large entry those of a large page, which goes on behind them.
    pub(super) leaves: Leaves,
    pub(super) access: Access,
    pub(super) memory_type: MemoryType,
    /// Its permissions or its memory type were changed: when it is freed, they are reset and flushed before anything is given back
    /// (`VM_FLUSH_RESET_PERMS`).
    pub(super) flush_reset_perms: bool,
}

impl VmStruct {
    /// An area of no page yet, as all begin.
    pub(super) const fn empty() -> Self {
        Self::new([Pfn(0); MAX_PAGES], 0, Leaves::Small)
    }

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

    /// One page more, behind those that there are.
    pub(super) fn push(&mut self, pfn: Pfn) {
        self.pages[usize::from(self.len)] = pfn;
        self.len += 1;
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

/// What selects a memory type in an entry: the first of the page-attribute table is write-back, the second (PWT alone) is set
/// up as write-combining.
const fn cached(memory_type: MemoryType) -> Flags {
    match memory_type {
        MemoryType::WriteBack => Flags::empty(),
        MemoryType::WriteCombining => Flags::WRITE_THROUGH,
    }
}

impl<P: PvMmu> Kernel<P> {
    /// The area of this kind that begins at a page.
    pub(crate) fn vm_struct(&self, first: Vpn) -> Option<VmStruct> {
        self.vmalloc.owners.borrow().get(&first).copied()
    }

    /// Changes what is known of an area that owns its pages. Returns what that is from now on.
    pub(super) fn change_vm_struct(
        &self,
        cpu: &Cpu<'_>,
        first: Vpn,
        change: impl FnOnce(&mut VmStruct),
    ) -> VmStruct {
        let mut owners = self.vmalloc.owners.borrow_mut();
        let Some(vm) = owners.get_mut(&first) else {
            cpu.bug("an area is changed that owns no pages");
        };
        change(vm);
        *vm
    }

    /// Gives the entries of an area, and those of the direct map if wanted, the attributes that they are to have. Flushes
    /// nothing.
    pub(super) fn change_attributes(&self, cpu: &Cpu<'_>, first: Vpn, vm: &VmStruct, direct_map: bool) {
        let (of_area, of_direct_map) = flags(vm.access);
        let cached = cached(vm.memory_type);
        let (of_area, of_direct_map) = (of_area | cached, of_direct_map | cached);
        self.pv.enter_lazy_mmu(cpu);
        match vm.leaves {
            Leaves::Small => {
                for (index, pfn) in vm.pages().iter().enumerate() {
                    self.tables.protect_page(self, cpu, first + index as u64, *pfn, of_area);
                    if direct_map {
                        self.direct.set(self, cpu, *pfn, of_direct_map);
                    }
                }
            }
            // All of the large page belongs to the area: nothing has to be split.
            Leaves::Large => {
                self.tables.protect_large(self, cpu, first, vm.pages[0], of_area);
                if direct_map {
                    self.direct.set_large(self, cpu, vm.pages[0], of_direct_map);
                }
            }
        }
        if self.pv.leave_lazy_mmu(cpu).is_err() {
            cpu.bug("the platform does not let attributes be changed");
        }
    }

    /// Flushes an area and the direct map of its pages, which need not be neighbours (`cpa_flush`). Where a drain of
    /// aliases need not have flushed, everything.
    pub(super) fn flush_aliases(&self, cpu: &Cpu<'_>, first: Vpn, vm: &VmStruct) {
        if self.protocol.designs.drain != Drain::Flush {
            self.tlb.flush(self, cpu, FlushRequest::EVERYTHING);
            return;
        }
        let flush = |range| self.tlb.flush(self, cpu, FlushRequest::pages(range));
        let in_direct_map = self.direct.page_of(vm.pages[0]);
        match vm.leaves {
            Leaves::Large => {
                self.tlb.flush(self, cpu, FlushRequest::large_leaf(first));
                self.tlb.flush(self, cpu, FlushRequest::large_leaf(in_direct_map));
            }
            Leaves::Small => {
                let pages = u64::from(vm.len);
                flush(PageRange { first, pages });
                if self.protocol.does(Step::FlushEveryDirectAlias) {
                    self.direct.runs(vm.pages()).into_iter().for_each(flush);
                } else {
                    flush(PageRange { first: in_direct_map, pages });
                }
            }
        }
    }

    /// Gives the pages of an area these flags in the direct map, or with none no entry there. Flushes nothing.
    pub(super) fn set_direct_map(&self, cpu: &Cpu<'_>, vm: &VmStruct, flags: Flags) {
        self.pv.enter_lazy_mmu(cpu);
        match vm.leaves {
            Leaves::Small => vm.pages().iter().for_each(|pfn| self.direct.set(self, cpu, *pfn, flags)),
            Leaves::Large => self.direct.set_large(self, cpu, vm.pages[0], flags),
        }
        if self.pv.leave_lazy_mmu(cpu).is_err() {
            cpu.bug("the platform refuses an entry of the direct map");
        }
    }
}
