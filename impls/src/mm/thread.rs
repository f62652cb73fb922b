//! Threads of address spaces. A caller that does something in an address space does it as a thread of it: the CPU loads it first.
//! Afterwards the CPU is in user mode, as that thread, until the kernel has something else to do there.

use super::Mm;
use super::fault::Failed;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::user_layout;
use crate::vpn::Vpn;
use machine::{Access, Cpu, Mode, PageFault, Resolution};
use std::rc::Rc;

/// The thread that runs on this CPU goes back to user mode.
pub(crate) fn return_to_user(cpu: &Cpu<'_>) {
    cpu.set_mode(Mode::User);
}

/// How an access of a thread ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accessed<T> {
    /// It went through.
    Done(T),
    /// Nothing is mapped there, or the mapping does not allow it (`SIGSEGV`), or its object ends before it (`SIGBUS`).
    Fault,
    /// There was no memory for the page.
    NoMemory,
}

impl<P: PvMmu> Kernel<P> {
    /// A thread of an address space runs on this CPU from now on, in the kernel. The caller is its one caller here: a thread of
    /// another address space has gone.
    pub(crate) fn enter_thread(&self, cpu: &Cpu<'_>, mm: &Rc<Mm>) {
        if cpu.load(self.mms.loaded.this(cpu)) != u64::from(mm.root().0) {
            self.switch_mm(cpu, Some(mm));
        }
        cpu.fetch_add(mm.users, 1);
        self.mms.threads.this(cpu).set(true);
    }

    /// The thread that ran on this CPU, if one did, runs here no more. Its address space stays loaded.
    pub(crate) fn end_thread(&self, cpu: &Cpu<'_>) {
        if self.mms.threads.this(cpu).replace(false) {
            let mm = self.mms.active.this(cpu).borrow().clone();
            if let Some(mm) = mm {
                cpu.fetch_sub(mm.users, 1);
            }
        }
    }

    /// The address space whose thread runs on this CPU.
    fn current_mm(&self, cpu: &Cpu<'_>) -> Option<Rc<Mm>> {
        if !self.mms.threads.this(cpu).get() {
            return None;
        }
        self.mms.active.this(cpu).borrow().clone()
    }

    /// The thread that runs on this CPU does something in user mode, and stays there.
    pub(crate) fn in_user_mode<T>(
        &self,
        cpu: &Cpu<'_>,
        access: impl FnOnce() -> Result<T, PageFault>,
    ) -> Accessed<T> {
        return_to_user(cpu);
        self.accessed(cpu, access)
    }

    /// The kernel accesses user memory for the thread that runs on this CPU. With interrupts off it takes no faults there
    /// (`copy_from_user_nofault`): a fault may sleep.
    pub(crate) fn for_user<T>(
        &self,
        cpu: &Cpu<'_>,
        access: impl FnOnce() -> Result<T, PageFault>,
    ) -> Accessed<T> {
        let no_faults = self.mms.no_faults.this(cpu);
        no_faults.set(!cpu.interrupts_on());
        let accessed = self.accessed(cpu, access);
        no_faults.set(false);
        accessed
    }

    fn accessed<T>(&self, cpu: &Cpu<'_>, access: impl FnOnce() -> Result<T, PageFault>) -> Accessed<T> {
        let out_of_memory = self.mms.out_of_memory.this(cpu);
        out_of_memory.set(false);
        match access() {
            Ok(done) => Accessed::Done(done),
            Err(_) if out_of_memory.replace(false) => Accessed::NoMemory,
            Err(_) => Accessed::Fault,
        }
    }

    /// A fault at a user address (`do_user_addr_fault`). User code has interrupts on, so the handler may sleep; so has the kernel
    /// where it takes faults there.
    pub(crate) fn user_fault(&self, cpu: &Cpu<'_>, fault: PageFault) -> Resolution {
        if self.mms.no_faults.this(cpu).get() {
            return Resolution::Unresolved;
        }
        let Some(mm) = self.current_mm(cpu) else { return Resolution::Unresolved };
        cpu.irq_restore(true);
        let write = fault.access == Access::Write;
        let page = Vpn::of(fault.va);
        debug_assert!(user_layout::is_user(fault.va), "a fault of the kernel's half");
        let vmas = mm.mmap_lock.read(cpu);
        let handled = match vmas.find(page).filter(|vma| vma.writable || !write) {
            Some(vma) => self.handle_mm_fault(cpu, &mm, vma, page, write),
            None => Err(Failed::Fault),
        };
        drop(vmas);
        cpu.irq_save();
        // The return to user mode serialises: a walker does not look into store buffers, not even into its own CPU's.
        cpu.fence();
        match handled {
            Ok(()) => Resolution::Repaired,
            Err(Failed::Fault) => Resolution::Unresolved,
            Err(Failed::NoMemory) => {
                self.mms.out_of_memory.this(cpu).set(true);
                Resolution::Unresolved
            }
        }
    }
}
