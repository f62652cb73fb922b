//! The kernel's page-fault handler, which the hardware enters by itself. It repairs two kinds of faults at kernel addresses: an
//! upper entry that the address space lacks so far, and a refusal that a CPU remembers although the tables allow the access by now.
//! Every other fault is the caller's.

use crate::direct_map::DirectMap;
use crate::kernel::Kernel;
use crate::kernel_tables::{COPIED, set_copied};
use crate::paravirt::PvMmu;
use crate::pgtable::Walk;
use crate::protocol::KernelSync;
use machine::paging::{LEVELS, index};
use machine::{Access, Cpu, Entry, Flags, PageFault, Resolution};

impl<P: PvMmu> Kernel<P> {
    /// Handles a page fault. `again` says that the access was made again already, with the entry that it lacked.
    pub(crate) fn handle_page_fault(&self, cpu: &Cpu<'_>, fault: PageFault, again: bool) -> Resolution {
        let in_root = index(fault.va, LEVELS);
        let vmalloc = in_root == index(self.sizes.vmalloc_first().address(), LEVELS);
        if vmalloc && !fault.protection && !again && self.vmalloc_fault(cpu, fault.va) {
            Resolution::Repaired
        } else if (vmalloc || in_root == DirectMap::index_in_root()) && self.is_spurious(cpu, fault) {
            Resolution::Spurious
        } else {
            Resolution::Unresolved
        }
    }

    /// Copies the upper entry for the address of an access, if it is that which is missing (`vmalloc_fault`). Returns whether the
    /// access is to be tried again.
    ///
    /// The caller that accesses a mapping keeps it, and with it the table that the entry leads to; so no CPU removes the entry
    /// meanwhile. But a large leaf may be changed, hence the lock:
    ///
    /// ```text
    ///   c1 faults, without it                 c0 set-memory-ro
    ///   loads the entry: writable
    ///                                         the entry: read-only, and in all copies that there are
    ///                                         flushes everywhere, returns
    ///   its copy: writable
    /// ```
    ///
    /// Interrupts are off, as the hardware enters the handler. One that takes the CPU off this address space would do no harm
    /// all the same: a CPU that drops that needs the lock too before its tables go.
    fn vmalloc_fault(&self, cpu: &Cpu<'_>, va: u64) -> bool {
        if self.protocol.designs.kernel_sync != KernelSync::OnFault {
            return false;
        }
        let _leaves = self.tables.hold_leaves_irqsave(cpu);
        self.copy_for(cpu, va)
    }

    fn copy_for(&self, cpu: &Cpu<'_>, va: u64) -> bool {
        let Some(reference) = self.tables.entry(cpu, va, COPIED) else { return false };
        let entry = cpu.load_entry(reference, COPIED);
        let Some(word) = Walk::from(cpu.cr3().root).entry(cpu, va, COPIED) else { return false };
        if !entry.present() {
            return false;
        }
        // Another CPU in the same address space may have faulted too, and been faster.
        if !cpu.load_entry(word, COPIED).present() {
            set_copied(self, cpu, word, entry);
        }
        // A walker does not look into store buffers, not even into its own CPU's.
        cpu.fence();
        true
    }

    /// Whether an access that just faulted need not have: the tables allow it, and what forbade it was cached before
    /// the permissions were widened (`spurious_kernel_fault`). The fault has dropped that. Reading is never
    /// forbidden, so that no refusal of it can be out of date.
    fn is_spurious(&self, cpu: &Cpu<'_>, fault: PageFault) -> bool {
        let allows = |leaf: Entry| match fault.access {
            Access::Read => false,
            Access::Write => leaf.has(Flags::WRITABLE),
            Access::Fetch => !leaf.has(Flags::NO_EXECUTE),
        };
        fault.access != Access::Read
            && self.tables.leaf(cpu, fault.va).is_some_and(|leaf| leaf.present() && allows(leaf))
    }
}
