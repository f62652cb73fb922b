//! The hypercall `mmuext_op`: pinning, the base pointer, and the flushes.

use super::Hypervisor;
use super::flush::Scope;
use super::linear::LINEAR_PCID;
use super::mmu::Reach;
use super::refusal::Refusal;
use super::type_info::{PageType, TypeInfo};
use crate::protocol::Step;
use machine::paging::LEVELS;
use machine::{Cpu, Cr3, Frame, Invpcid};

/// What a guest can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MmuExt {
    /// Validates a frame as a table of this level and keeps it one (`MMUEXT_PIN_L1_TABLE` to `L4`).
    PinTable {
        /// The frame.
        frame: Frame,
        /// 1 to 4.
        level: u8,
    },
    /// Drops the pin of a table.
    UnpinTable {
        /// The frame.
        frame: Frame,
    },
    /// Loads a root on this CPU.
    NewBaseptr {
        /// The frame.
        frame: Frame,
    },
    /// Flushes everything on this CPU.
    TlbFlushLocal,
    /// Flushes a page on this CPU.
    InvlpgLocal {
        /// The page.
        va: u64,
    },
    /// Flushes everything on some CPUs.
    TlbFlushMulti {
        /// A bit each.
        cpus: u8,
    },
    /// Flushes a page on some CPUs.
    InvlpgMulti {
        /// A bit each.
        cpus: u8,
        /// The page.
        va: u64,
    },
    /// Flushes everything on all CPUs.
    TlbFlushAll,
    /// Flushes a page on all CPUs.
    InvlpgAll {
        /// The page.
        va: u64,
    },
}

impl Hypervisor {
    /// Performs one of the extended operations.
    pub fn mmuext_op(&self, cpu: &Cpu<'_>, op: MmuExt) -> Result<(), Refusal> {
        cpu.hypercall("mmuext_op", |cpu| self.do_mmuext_op(cpu, op))
    }

    pub(super) fn do_mmuext_op(&self, cpu: &Cpu<'_>, op: MmuExt) -> Result<(), Refusal> {
        let (reach, scope) = match op {
            MmuExt::PinTable { frame, level } => return self.pin(cpu, frame, level),
            MmuExt::UnpinTable { frame } => return self.unpin(cpu, frame),
            MmuExt::NewBaseptr { frame } => return self.new_base_pointer(cpu, frame),
            MmuExt::TlbFlushLocal => (Reach::Local, Scope::Everything),
            MmuExt::InvlpgLocal { va } => (Reach::Local, Scope::Page(va)),
            MmuExt::TlbFlushMulti { cpus } => (Reach::Multi(cpus), Scope::Everything),
            MmuExt::InvlpgMulti { cpus, va } => (Reach::Multi(cpus), Scope::Page(va)),
            MmuExt::TlbFlushAll => (Reach::All, Scope::Everything),
            MmuExt::InvlpgAll { va } => (Reach::All, Scope::Page(va)),
        };
        self.flush.on(cpu, self.reached(cpu, reach), scope);
        Ok(())
    }

    fn pin(&self, cpu: &Cpu<'_>, frame: Frame, level: u8) -> Result<(), Refusal> {
        if !(1..=LEVELS).contains(&level) {
            return Err(Refusal::NoSuchLevel(level));
        }
        self.get_page_and_type(cpu, frame, PageType::Table(level))?;
        // Of two CPUs that pin at once, one sets the bit; the other drops its reference again.
        if self.set_pin(cpu, frame, true).pinned() {
            self.put_page_and_type(cpu, frame);
            return Err(Refusal::AlreadyPinned(frame));
        }
        Ok(())
    }

    fn unpin(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        self.frames.get_page(cpu, frame)?;
        let pinned = self.set_pin(cpu, frame, false).pinned();
        if pinned {
            self.put_page_and_type(cpu, frame);
        }
        self.frames.put_page(cpu, frame);
        if pinned { Ok(()) } else { Err(Refusal::NotPinned(frame)) }
    }

    /// Sets or clears the pin. Returns what was there.
    fn set_pin(&self, cpu: &Cpu<'_>, frame: Frame, pinned: bool) -> TypeInfo {
        let change = |info| {
            let info = TypeInfo(info);
            (info.pinned() != pinned).then_some(info.with_pin(pinned).0)
        };
        TypeInfo(cpu.update(self.frames.type_info(frame), change))
    }

    /// The base pointer holds its root. The hypervisor takes the new root before it loads it, and drops the old one after: at no
    /// moment does this CPU walk tables that may become data.
    ///
    /// ```text
    ///   c0, without a reference               c1
    ///   loads p0
    ///                                         maps p0 writable: it is no table
    ///                                         writes an entry of its own into p0
    ///   walks through p0, to any memory
    /// ```
    fn new_base_pointer(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        let Cr3 { root: old, pcid } = cpu.cr3();
        let changes = frame != old && self.protocol.does(Step::HoldLoadedRoot);
        if changes {
            self.get_page_and_type(cpu, frame, PageType::Table(LEVELS))?;
        }
        cpu.load_cr3(Cr3 { root: frame, pcid }, false);
        // From here on the linear mapping shows the new root's tables. Its tag is the same for all roots:
        //
        //   c0, in m0                             c1
        //   update_va_mapping(V): caches the way through the tables of m0
        //   loads init
        //                                         frees the tables of m0; another owner gets them
        //   update_va_mapping(V): walks through what was a table
        if self.protocol.does(Step::FlushLinearMapAtLoad) {
            cpu.invpcid(Invpcid::Single { pcid: LINEAR_PCID });
        }
        if changes {
            self.put_page_and_type(cpu, old);
        }
        Ok(())
    }
}
