//! What the machine itself sees going wrong, for any software.

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
    /// An access went through a translation whose frame has been put to another use since, and which the tables would not
    /// make any more. They lead elsewhere now; or they allow less, to a frame that is no page of data.
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
    /// A CPU waits for an acknowledgement or a sleeping lock with interrupts off: that deadlocks as soon as the other side
    /// does the same.
    WaitWithInterruptsOff {
        /// What it waits for.
        wait: Wait,
    },
    /// No CPU can release what another one waits for.
    Deadlock {
        /// Which CPU waits for what: each waits for the next, the last for one before it.
        cycle: Vec<(u8, Wait)>,
    },
    /// The whole story used up its steps.
    Livelock {
        /// The last wait of each CPU on which something is under way, lowest CPU first: they show which CPU spins on which.
        waits: Vec<(u8, Wait)>,
    },
    /// The software found its own state broken.
    Bug {
        /// Its words.
        text: &'static str,
    },
    /// The software broke its own rules of locking: order, context, sleeping.
    Locking {
        /// Which rule.
        text: &'static str,
        /// The classes of lock concerned.
        locks: Vec<&'static str>,
    },
}
