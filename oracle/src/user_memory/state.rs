//! What a page of user addresses can lead to, and what operations make of that. This file knows no sets and no time.

use crate::contents::Home;

/// What a page of user addresses leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing.
    Unmapped,
    /// It is mapped beyond the end of an object: every access faults.
    Beyond,
    /// Memory.
    Mapped { memory: Memory, writable: bool },
}

/// The memory behind a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Memory {
    Anonymous(Home),
    Shared(Home),
    /// The page of an object until the kernel copied it, then the copy.
    Private {
        object: Home,
        copy: Home,
        copied: bool,
    },
}

impl State {
    /// The word that a load finds; none where it faults.
    pub(crate) const fn reads(self) -> Option<Home> {
        match self {
            Self::Unmapped | Self::Beyond => None,
            Self::Mapped { memory: Memory::Anonymous(home) | Memory::Shared(home), .. } => Some(home),
            Self::Mapped { memory: Memory::Private { object, copy, copied }, .. } => {
                Some(if copied { copy } else { object })
            }
        }
    }

    /// The word that a store changes; none where it faults.
    pub(crate) const fn writes(self) -> Option<Home> {
        match self {
            Self::Mapped { memory: Memory::Private { copy, .. }, writable: true } => Some(copy),
            Self::Mapped { writable: true, .. } => self.reads(),
            _ => None,
        }
    }

    /// The word that a forced write changes; none where there is none of the address space's own, nor one that it may write.
    pub(crate) const fn forces(self) -> Option<Home> {
        match self {
            Self::Mapped { memory: Memory::Private { copy, .. }, .. } => Some(copy),
            Self::Mapped { memory: Memory::Anonymous(home), .. } => Some(home),
            _ => self.writes(),
        }
    }

    /// What the kernel copies before a store, and to where.
    pub(crate) const fn copies(self) -> Option<(Home, Home)> {
        match self {
            Self::Mapped { writable: true, .. } => self.copies_if_forced(),
            _ => None,
        }
    }

    /// What it copies before a forced write.
    pub(crate) const fn copies_if_forced(self) -> Option<(Home, Home)> {
        match self {
            Self::Mapped { memory: Memory::Private { object, copy, copied: false }, .. } => {
                Some((object, copy))
            }
            _ => None,
        }
    }
}

/// What an operation makes of a page, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// It is mapped anew, or unmapped. It may be unmapped for a while before it is mapped.
    Becomes(State),
    /// What is mapped can be written from now on, or not.
    Protect { writable: bool },
    /// Its memory is taken away: these words stand for the memory that comes after it.
    Renew { zeroed: Home, copy: Home },
    /// A private page that can be written is copied.
    Copy,
    /// A private page is copied, whether it can be written or not.
    ForcedCopy,
    /// What was mapped elsewhere moves here: what that may be, the flight knows. The page is unmapped before.
    Receives,
}

impl Change {
    /// What the page is once the operation took effect.
    pub(crate) const fn result(self, before: State) -> State {
        match (self, before) {
            (Self::Becomes(state), _) => state,
            (Self::Protect { writable }, State::Mapped { memory, .. }) => State::Mapped { memory, writable },
            (Self::Renew { zeroed, .. }, State::Mapped { memory: Memory::Anonymous(_), writable }) => {
                State::Mapped { memory: Memory::Anonymous(zeroed), writable }
            }
            (
                Self::Renew { copy, .. },
                State::Mapped { memory: Memory::Private { object, .. }, writable },
            ) => State::Mapped { memory: Memory::Private { object, copy, copied: false }, writable },
            (Self::Copy, State::Mapped { memory: Memory::Private { object, copy, .. }, writable: true }) => {
                State::Mapped { memory: Memory::Private { object, copy, copied: true }, writable: true }
            }
            (Self::ForcedCopy, State::Mapped { memory: Memory::Private { object, copy, .. }, writable }) => {
                State::Mapped { memory: Memory::Private { object, copy, copied: true }, writable }
            }
            _ => before,
        }
    }

    /// What the page can be meanwhile, beside what it was.
    pub(crate) const fn effects(self, before: State) -> [State; 2] {
        let after = self.result(before);
        match self {
            Self::Becomes(_) | Self::Receives => [State::Unmapped, after],
            _ => [after; 2],
        }
    }

    /// Whether it is a copy for a write.
    pub(crate) const fn is_copy(self) -> bool {
        matches!(self, Self::Copy | Self::ForcedCopy)
    }

    /// Whether it leaves such a page as it is.
    pub(crate) fn leaves(self, state: State) -> bool {
        self != Self::Receives && self.effects(state) == [state; 2]
    }

    /// Whether an operation in flight that does this may have taken a translation out of the tables and not yet out of the TLBs,
    /// where another one that ended meanwhile found nothing to do. An operation that only takes a permission away hides no translation
    /// from an operation that replaces it.
    pub(crate) const fn may_hide_from(self, other: Self) -> bool {
        !matches!((self, other), (Self::Protect { .. }, Self::Becomes(_)))
    }
}
