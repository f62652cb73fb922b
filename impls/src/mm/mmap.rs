//! What callers do with the mappings of an address space: `mmap`, `munmap`, `mprotect`, `madvise`.

use super::Mm;
use super::gather::MmuGather;
use super::vma::{Backing, Vma, Vmas};
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::vpn::PageRange;
use machine::Cpu;

impl<P: PvMmu> Kernel<P> {
    /// Maps a range, in the place of whatever was mapped there (`MAP_FIXED`).
    pub(crate) fn mmap(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange, backing: Backing, writable: bool) {
        let mut vmas = mm.mmap_lock.write(cpu);
        let removed = vmas.remove(range);
        self.unmap_region(cpu, mm, &vmas, &removed);
        vmas.insert(Vma { start: range.first, end: range.first + range.pages, backing, writable });
        drop(vmas);
        forget_mappings(self, cpu, removed);
    }

    /// Unmaps what is mapped of a range (`do_vmi_munmap`).
    pub(crate) fn munmap(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange) {
        let mut vmas = mm.mmap_lock.write(cpu);
        let removed = vmas.remove(range);
        self.unmap_region(cpu, mm, &vmas, &removed);
        drop(vmas);
        forget_mappings(self, cpu, removed);
    }

    /// These mappings are taken out of the tree: takes their pages and tables away (`unmap_region`).
    pub(super) fn unmap_region(&self, cpu: &Cpu<'_>, mm: &Mm, left: &Vmas, removed: &[Vma]) {
        let (Some(first), Some(last)) = (removed.first(), removed.last()) else { return };
        let mut gather = MmuGather::new(mm);
        for vma in removed {
            self.zap_range(cpu, &mut gather, vma.range());
        }
        // Of all mappings together: an upper table may lead to tables of several.
        let hull = PageRange { first: first.start, pages: last.end - first.start };
        self.free_pgtables(cpu, &mut gather, left, hull);
        self.tlb_finish_mmu(cpu, gather);
    }

    /// Changes what user code may do with what is mapped of a range (`mprotect_fixup`).
    pub(crate) fn mprotect(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange, writable: bool) {
        let mut vmas = mm.mmap_lock.write(cpu);
        let mut gather = MmuGather::new(mm);
        let mut changed = vmas.remove(range);
        for vma in &mut changed {
            vma.writable = writable;
            if !writable {
                self.write_protect_range(cpu, &mut gather, vma.range());
            }
        }
        for vma in changed {
            vmas.insert(vma);
        }
        self.tlb_finish_mmu(cpu, gather);
    }

    /// Takes the memory away behind what is mapped of a range, which stays mapped (`madvise_dontneed_single_vma`).
    pub(crate) fn dontneed(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange) {
        let vmas = mm.mmap_lock.read(cpu);
        let mut gather = MmuGather::new(mm);
        for vma in vmas.within(range) {
            self.zap_range(cpu, &mut gather, vma.range());
        }
        self.tlb_finish_mmu(cpu, gather);
        drop(vmas);
    }

    /// The address space ends: everything is unmapped, and all tables of its user half go (`exit_mmap`). No CPU has it loaded.
    pub(super) fn exit_mmap(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let everything = PageRange { first: crate::vpn::Vpn(0), pages: crate::user_layout::USER_END.0 };
        let mut vmas = mm.mmap_lock.write(cpu);
        let removed = vmas.remove(everything);
        let mut gather = MmuGather::new(mm);
        for vma in &removed {
            self.zap_range(cpu, &mut gather, vma.range());
        }
        self.free_pgtables(cpu, &mut gather, &vmas, everything);
        self.tlb_finish_mmu(cpu, gather);
        drop(vmas);
        forget_mappings(self, cpu, removed);
    }
}

/// Lets go of the objects behind mappings that are gone.
pub(super) fn forget_mappings<P: PvMmu>(kernel: &Kernel<P>, cpu: &Cpu<'_>, removed: Vec<Vma>) {
    for vma in removed {
        if let Backing::Object { object, .. } = vma.backing {
            kernel.put_object(cpu, object);
        }
    }
}
