//! What the machine itself sees going wrong, whoever runs on it.

use crate::paging::Frame;
use crate::wait::Wait;
use std::panic::Location;

/// Something that must never happen, seen by the machine while it ran.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// The CPU on which it was seen.
    pub cpu: u8,
    /// What was seen.
    pub kind: AlarmKind,
    /// The line of code that was running, where one was.
    pub at: Option<&'static Location<'static>>,
}

/// The kinds of alarm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlarmKind {
    /// A walk, by hardware or software, went through a frame that is not a table of that level any more.
    FreedTableWalked {
        /// The frame.
        frame: Frame,
        /// The level of the table that the walk took it for.
        level: u8,
        /// The address walked for.
        va: u64,
    },
    /// An access was made through a translation whose frame has been put to another use since, and which the tables
    /// would not make any more: they lead elsewhere, or, to a frame that is no page of data, allow less.
    StaleTranslationUsed {
        /// The frame.
        frame: Frame,
        /// The address.
        va: u64,
    },
    /// A frame was freed that was free already.
    FrameFreedTwice {
        /// The frame.
        frame: Frame,
    },
    /// A buffered store reached a frame that has been put to another use since the store was made.
    StoreToReusedFrame {
        /// The frame.
        frame: Frame,
    },
    /// An acknowledgement or a sleeping lock is waited for with interrupts off: it deadlocks as soon as the other
    /// side does the same.
    WaitWithInterruptsOff {
        /// What is waited for.
        wait: Wait,
    },
    /// Nobody can release what is waited for.
    Deadlock {
        /// Who waits for what: each waits for the next, the last for one before it.
        cycle: Vec<(u8, Wait)>,
    },
    /// The steps of the whole story were used up.
    Livelock {
        /// What each CPU on which something is under way waited for last, lowest CPU first: who spins on whom.
        waits: Vec<(u8, Wait)>,
    },
    /// The software found its own state broken.
    Bug {
        /// Its words.
        text: &'static str,
    },
    /// The software's own rules of locking were broken: order, context, sleeping.
    Locking {
        /// Which rule.
        text: &'static str,
        /// The classes of lock concerned.
        locks: Vec<&'static str>,
    },
}
