//! What callers do with the mappings of an address space: `mmap`, `munmap`, `mprotect`, `madvise`.

use super::Mm;
use super::gather::MmuGather;
use super::object::Mapped;
use super::vma::{Backing, Vma, Vmas};
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::user_layout::USER_END;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;
use std::rc::Rc;

/// The whole user half.
const EVERYTHING: PageRange = PageRange { first: Vpn(0), pages: USER_END.0 };

impl<P: PvMmu> Kernel<P> {
    /// Maps a range, in the place of whatever was mapped there (`MAP_FIXED`).
    pub(crate) fn mmap(
        &self,
        cpu: &Cpu<'_>,
        mm: &Rc<Mm>,
        range: PageRange,
        backing: Backing,
        writable: bool,
    ) {
        let mut vmas = mm.mmap_lock.write(cpu);
        let removed = vmas.remove(range);
        self.unmap_region(cpu, mm, &vmas, &removed);
        let new = Vma { start: range.first, end: range.first + range.pages, backing, writable };
        link(cpu, mm, &new);
        vmas.insert(new);
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
        for vma in removed {
            unlink(cpu, mm, vma);
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
        let mut vmas = mm.mmap_lock.write(cpu);
        let removed = vmas.remove(EVERYTHING);
        let mut gather = MmuGather::new(mm);
        for vma in &removed {
            self.zap_range(cpu, &mut gather, vma.range());
        }
        self.free_pgtables(cpu, &mut gather, &vmas, EVERYTHING);
        self.tlb_finish_mmu(cpu, gather);
        drop(vmas);
        forget_mappings(self, cpu, removed);
    }
}

/// The object behind a mapping is found there by the reverse map from now on, if there is one.
pub(super) fn link(cpu: &Cpu<'_>, mm: &Rc<Mm>, vma: &Vma) {
    if let Backing::Object { object, from, .. } = &vma.backing {
        object.link(cpu, Mapped { mm: Rc::downgrade(mm), range: vma.range(), from: *from });
    }
}

/// It is found there no more.
pub(super) fn unlink(cpu: &Cpu<'_>, mm: &Mm, vma: &Vma) {
    if let Backing::Object { object, .. } = &vma.backing {
        object.unlink(cpu, mm, vma.range());
    }
}

/// No reverse map leads to an address space any more that is about to end. The walks of it that are under way end first: they must not
/// meet tables that the platform lets go of.
pub(super) fn hide_from_reverse_maps(cpu: &Cpu<'_>, mm: &Mm) {
    let vmas = mm.mmap_lock.read(cpu);
    for vma in vmas.within(EVERYTHING) {
        unlink(cpu, mm, &vma);
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
