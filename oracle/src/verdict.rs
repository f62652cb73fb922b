//! What the reference says about an outcome: legal, and whether other backends must answer the same; or illegal, and why.
//!
//! A headline must be the same for the same bug, so it never holds a token, a handle or an address. The message holds
//! those.

use core::fmt;

use crate::contract::Rule;
use crate::vocabulary::{Call, Outcome};

/// A legal outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What the kernel answered.
    pub outcome: Outcome,
    /// The story alone left no other answer: no operation overlapped this one, and no choice of this backend (a race, an
    /// allocation that failed) went into the answer.
    pub sole: bool,
}

impl Verdict {
    /// Whether two backends agree about the same call (rule 2). They may differ wherever one of them had a choice;
    /// addresses never count.
    pub fn agrees_with(&self, other: &Self) -> bool {
        !self.sole || !other.sole || self.outcome == other.outcome
    }
}

/// An outcome that the reference does not allow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Illegal {
    /// The CPU that asked.
    pub cpu: u8,
    /// What the caller asked for.
    pub call: Call,
    /// What the kernel answered.
    pub answered: Outcome,
    /// What is wrong with it.
    pub kind: Kind,
    /// What would have been legal, in words.
    pub expected: String,
}

impl Illegal {
    /// The rule of the contract that is broken.
    pub const fn rule(&self) -> Rule {
        self.kind.rule()
    }

    /// What went wrong, the same words for the same bug.
    pub const fn headline(&self) -> &'static str {
        self.kind.headline()
    }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.call.operation.is_of_a_device() {
            "by the device".to_owned()
        } else {
            format!("on c{}", self.cpu)
        };
        write!(
            f,
            "{}: `{}` {by} answered {}, expected {} ({})",
            self.rule(),
            self.call,
            self.answered,
            self.expected,
            self.headline()
        )
    }
}

impl std::error::Error for Illegal {}

/// What is wrong with an outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A read found a token that the page never held while it ran.
    NeverPossible,
    /// A read or a write of a live mapping raised a fault.
    Faulted,
    /// A write or an instruction fetch went through where the permissions forbid it.
    Permitted,
    /// An access in user mode went through although nothing that may be mapped there allows it.
    NotMapped,
    /// A page was pinned that was not mapped there, or not for such an access.
    PinnedUnmapped,
    /// A read of a pinned page found a token that the page never held while it ran.
    PinStrayed,
    /// Two live mappings share an address.
    Overlap,
    /// No page is left between an area and the mapping behind it.
    Unguarded,
    /// A range has not as many pages as were to be mapped.
    WrongLength,
    /// A range is not aligned to pages, or not canonical.
    Misplaced,
    /// An operation that needs no memory failed for lack of memory.
    NoMemory,
    /// The kernel found no range although nothing else is mapped.
    NoRoom,
    /// An operation that would have to wait went ahead with interrupts off.
    WaitedWithIrqsOff,
    /// An operation that may wait, or never has to, answered that it would sleep.
    WouldSleep,
    /// The hypervisor refused something.
    Refused,
    /// The kernel did not attempt an operation although its handle stands for something.
    NotAttempted,
    /// An operation went ahead on a handle that stands for nothing.
    Phantom,
    /// The answer belongs to another kind of operation.
    WrongForm,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::NeverPossible,
        Self::Faulted,
        Self::Permitted,
        Self::NotMapped,
        Self::PinnedUnmapped,
        Self::PinStrayed,
        Self::Overlap,
        Self::Unguarded,
        Self::WrongLength,
        Self::Misplaced,
        Self::NoMemory,
        Self::NoRoom,
        Self::WaitedWithIrqsOff,
        Self::WouldSleep,
        Self::Refused,
        Self::NotAttempted,
        Self::Phantom,
        Self::WrongForm,
    ];

    /// The rule of the contract that is broken.
    pub const fn rule(self) -> Rule {
        match self {
            Self::Refused => Rule::Hypervisor,
            Self::Permitted => Rule::Permissions,
            Self::NotMapped => Rule::UserRevocation,
            Self::PinnedUnmapped => Rule::Frames,
            Self::PinStrayed => Rule::Pins,
            _ => Rule::Outcome,
        }
    }

    /// The words of the headline.
    pub const fn headline(self) -> &'static str {
        match self {
            Self::NeverPossible => "read a value that was never possible",
            Self::Faulted => "access to a live mapping faulted",
            Self::Permitted => "an access went through that its permissions forbid",
            Self::NotMapped => "a user access went through that no mapping allows",
            Self::PinnedUnmapped => "pinned a page that was not mapped there",
            Self::PinStrayed => "a pin shows what its page never held",
            Self::Overlap => "two live mappings overlap",
            Self::Unguarded => "no guard page behind an area",
            Self::WrongLength => "mapped a range of the wrong length",
            Self::Misplaced => "mapped a range at no legal place",
            Self::NoMemory => "out of memory where none is needed",
            Self::NoRoom => "no room although nothing that is mapped is in the way",
            Self::WaitedWithIrqsOff => "waited with interrupts off",
            Self::WouldSleep => "refused to sleep where it may",
            Self::Refused => "the hypervisor refused",
            Self::NotAttempted => "did not attempt what was asked",
            Self::Phantom => "went ahead on a handle never obtained",
            Self::WrongForm => "answered something else than was asked",
        }
    }
}
