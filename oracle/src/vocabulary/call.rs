//! An operation, and the state of its caller.

use core::fmt;

use super::{Bound, Operation, Stage};

/// What a caller asks for, and in which state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Call<S: Stage = Bound> {
    /// What the caller asks for.
    pub operation: Operation<S>,
    /// The caller has disabled interrupts on its CPU for the whole call.
    pub irqs_off: bool,
}

impl<S: Stage> fmt::Display for Call<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.operation, if self.irqs_off { " irqs-off" } else { "" })
    }
}
