//! A wait is data: the CPU writes down what it waits for, and the executor evaluates that itself.

use crate::memory::Var;

/// When a wait is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Until {
    /// The variable has this value.
    Is(u64),
    /// The variable has any other value.
    IsNot(u64),
    /// The variable has reached this value.
    AtLeast(u64),
}

impl Until {
    /// Whether this value ends the wait.
    #[inline]
    pub const fn holds(self, value: u64) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::IsNot(unwanted) => value != unwanted,
            Self::AtLeast(wanted) => value >= wanted,
        }
    }
}

/// Which CPU can end a wait.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Holder {
    /// This CPU.
    Cpu(u8),
    /// Whatever runs on any CPU.
    Anyone,
    /// The software's background (a grace period): [`crate::Software::background`] is asked.
    Background,
}

/// The sort of wait decides what may be off meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WaitKind {
    /// Spinning on a lock.
    Spin,
    /// Sleeping on a lock or for work: interrupts must be on.
    Sleep,
    /// Waiting for another CPU to answer an interrupt: interrupts must be on, at the waiter's level of privilege.
    Acknowledge,
    /// Waiting for a grace period: interrupts must be on.
    GracePeriod,
}

/// One wait.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Wait {
    /// The variable.
    pub var: Var,
    /// The value that ends it.
    pub until: Until,
    /// Which CPU can end it.
    pub holder: Holder,
    /// What sort of wait it is.
    pub kind: WaitKind,
}
