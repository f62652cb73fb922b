//! Page faults: the software's handler runs on top of the access that faulted, and the access is made again if it says so.
//!
//! The hardware enters the handler in supervisor mode and with interrupts off at the level of privilege of the access, and
//! returns to what was there before. The handler's points are points of the operation or handler that it runs in, and so is each
//! access that is made again. Neither the way in nor the way out is a point, and neither drains: a handler fences by itself
//! when a walk is to see what it stored.

use crate::core::Mode;
use crate::cpu::Cpu;
use crate::walker::{Intent, PageFault};

/// What an access through the MMU asked for when it faulted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// A word.
    Read,
    /// To change a word.
    Write,
    /// An instruction.
    Fetch,
}

/// What the software's handler made of a page fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// Nothing: the access fails.
    Unresolved,
    /// What was missing is there: the access is made again, and if it faults again the handler is asked again.
    Repaired,
    /// Nothing was missing, and the fault was out of date: the access is made once more, and what comes of it stands.
    Spurious,
}

impl Intent {
    /// The fault of an access that is not possible. The software hears of none that was speculative.
    pub(crate) const fn fault(self, va: u64, protection: bool) -> PageFault {
        let access = match self {
            Self::Read | Self::Speculate => Access::Read,
            Self::Write => Access::Write,
            Self::Fetch => Access::Fetch,
        };
        PageFault { va, protection, access }
    }
}

impl Cpu<'_> {
    /// An access faulted: asks the software whether to make it again. `last` is what the software said of the fault before, if
    /// the access is one that is made again already.
    #[cold]
    #[inline(never)]
    pub(crate) fn is_resolved(&self, fault: PageFault, last: &mut Option<Resolution>) -> bool {
        if *last == Some(Resolution::Spurious) {
            return false;
        }
        let core = self.core;
        let flag = &core.interrupts_on[core.level.get() as usize];
        let (interrupts_on, mode) = (flag.replace(false), core.mode.replace(Mode::Kernel));
        let resolution = self.handlers.page_fault(self, fault, last.is_some());
        core.mode.set(mode);
        flag.set(interrupts_on);
        *last = Some(resolution);
        resolution != Resolution::Unresolved
    }
}
