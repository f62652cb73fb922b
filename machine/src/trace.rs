//! What happened, line by line, for a caller that wants to know: the raw material of the lanes report.

use crate::core::Level;
use crate::memory::{Role, Target};
use crate::paging::Frame;
use crate::point::Point;
use crate::tlb::Lost;
use crate::wait::Wait;
use std::panic::Location;

/// One thing that happened on one CPU.
#[derive(Clone, Copy, Debug)]
pub struct TraceLine {
    /// The CPU.
    pub cpu: u8,
    /// What.
    pub event: TraceEvent,
    /// The line of code that did it; hardware has none.
    pub at: Option<&'static Location<'static>>,
}

/// What an invalidation reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flushed {
    /// One page.
    Page,
    /// Everything of one identifier, or of all, but global entries.
    Full,
    /// Everything, global entries too.
    FullWithGlobals,
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TraceEvent {
    /// A load found a value.
    Load {
        /// From where.
        target: Target,
        /// The value.
        value: u64,
    },
    /// A store was made.
    Store {
        /// To where.
        target: Target,
        /// What was there, in memory.
        old: u64,
        /// The value.
        value: u64,
        /// It waits in the buffer.
        buffered: bool,
    },
    /// A store left the buffer for memory.
    Drained {
        /// To where.
        target: Target,
        /// What was there.
        old: u64,
        /// The value.
        value: u64,
    },
    /// A locked read-modify-write was made.
    Locked {
        /// On what.
        target: Target,
        /// What was there.
        old: u64,
        /// What is there now.
        new: u64,
    },
    /// A full fence.
    Fence,
    /// All words of a frame became 0.
    Cleared {
        /// The frame.
        frame: Frame,
    },
    /// The tables were walked because no leaf was cached that permits an access, or speculatively.
    Walked {
        /// The page.
        va: u64,
        /// How many entries were read.
        levels: u8,
        /// No access asked for it.
        speculative: bool,
    },
    /// A leaf was cached.
    Filled {
        /// The page.
        va: u64,
        /// The frame.
        frame: Frame,
        /// No access asked for it.
        speculative: bool,
    },
    /// Translations were invalidated.
    Invalidated {
        /// Which instruction.
        scope: &'static str,
        /// What it reaches.
        flushed: Flushed,
        /// The page, if it was one.
        va: Option<u64>,
        /// What it dropped.
        lost: Lost,
    },
    /// CR3 was loaded.
    Cr3 {
        /// The root.
        root: Frame,
        /// The identifier.
        pcid: u16,
        /// What the load dropped; `None` if it kept everything.
        lost: Option<Lost>,
    },
    /// An access through the MMU found a value.
    Read {
        /// The address.
        va: u64,
        /// The frame, unless it faulted.
        frame: Option<Frame>,
        /// The value.
        value: u64,
    },
    /// A write through the MMU.
    Write {
        /// The address.
        va: u64,
        /// The frame, unless it faulted.
        frame: Option<Frame>,
        /// The value.
        value: u64,
    },
    /// An interrupt was sent.
    IpiSent {
        /// To which CPU.
        to: u8,
        /// Which level takes it.
        level: Level,
    },
    /// An interrupt was taken.
    InterruptTaken {
        /// From which CPU.
        from: u8,
        /// Which level takes it.
        level: Level,
    },
    /// A handler returned.
    InterruptDone,
    /// The CPU stopped at a point.
    Paused {
        /// Before what.
        point: Point,
    },
    /// The CPU waits.
    Waits {
        /// For what.
        wait: Wait,
    },
    /// The CPU goes on: its wait is over, or it looks again.
    Waited {
        /// For what.
        wait: Wait,
    },
    /// A lock was taken.
    Locks {
        /// The name of its class.
        name: &'static str,
    },
    /// Interrupts were disabled.
    IrqOff,
    /// Interrupts were enabled.
    IrqOn,
    /// A frame changed its role.
    Role {
        /// The frame.
        frame: Frame,
        /// What it was.
        old: Role,
        /// What it is.
        new: Role,
    },
    /// The guest called the hypervisor.
    Hypercall {
        /// Which call.
        name: &'static str,
    },
    /// The hypervisor returned.
    Returned,
    /// The software says what it is about to do, or what it left out.
    Note {
        /// Its words.
        text: &'static str,
        /// A number that belongs to it.
        value: u64,
    },
}
