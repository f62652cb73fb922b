//! Stories: the one format of test cases, for fuzzers (bytes), for people and continuous integration (text), and
//! for typed fuzz targets (`Arbitrary`).
//!
//! A story is what was *told*: a header and events in the order of telling, with operands that are not yet bound to
//! anything. What it means is fixed by [`resolve`], before any backend runs. This module must never look at a
//! backend.

mod arbitrary;
mod bytes;
pub(crate) mod codec;
mod design_tag;
pub(crate) mod dice;
mod document;
pub(crate) mod draw;
mod error;
mod form;
mod generate;
pub(crate) mod held;
pub(crate) mod line;
pub mod mutate;
pub(crate) mod operand;
mod parse;
pub mod resolve;
pub(crate) mod slots;
pub(crate) mod state;
mod swarm;
mod tag;
mod text;
mod wishes;

use impls::{Designs, Sizes};
use machine::{Pause, Temperament};
use oracle::vocabulary::{Call, Place, UserPage};

pub use bytes::{HEADER, MAX_BYTES, MAX_RECORDS, STRIDE, TooLarge};
pub use document::{Document, MAX_TEXT, Under};
pub use error::ReadError;
pub use form::Form;
pub use generate::Generator;
pub use resolve::{Resolved, ResolvedAction, Told};
use state::State;
pub use tag::Tag;
pub use text::{BACKENDS, PauseText, TEMPERAMENTS};

/// The version of the format that this program reads and writes.
pub const VERSION: u8 = 1;

/// The most CPUs that a story has.
pub const MAX_CPUS: u8 = 4;

/// The most stores that one `drain-stores` asks for.
pub const MAX_STORES: u8 = 16;

/// A test case. Its `Debug` is the text form.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Story {
    /// On what it is played.
    pub header: Header,
    /// What happens, in the order of telling.
    pub events: Vec<Event>,
}

/// On what a story is played.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// How many CPUs, 1 to [`MAX_CPUS`].
    pub cpus: u8,
    /// How wild the hardware is.
    pub temperament: Temperament,
    /// How large the kernels are built.
    pub sizes: Sizes,
    /// The kernels that play it; never empty.
    pub backends: Backends,
    /// The designs that they are built by: a combination that is correct on all of them. What a story is played under
    /// (a known bug, designs that are asked for) comes before it.
    pub designs: Designs,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            cpus: 2,
            temperament: Temperament::empty(),
            sizes: Sizes::Tiny,
            backends: Backends::NATIVE_AND_XEN,
            designs: Designs::default(),
        }
    }
}

impl Header {
    /// How many records its designs take in the byte form.
    pub fn records(&self) -> usize {
        self.designs.changed().count().div_ceil(design_tag::CHOICES)
    }
}

bitflags::bitflags! {
    /// The kernels that play a story.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub struct Backends: u8 {
        /// On bare hardware.
        const NATIVE = 1;
        /// Paravirtual, on Xen.
        const XEN = 2;
        /// In a virtual machine on KVM, whose host takes CPUs away.
        const KVM = 4;
        /// In a virtual machine on Hyper-V.
        const HYPERV = 8;
    }
}

impl Backends {
    /// Those that play a story which names none, and most stories without user memory: the kernel half of the others is native's.
    pub const NATIVE_AND_XEN: Self = Self::NATIVE.union(Self::XEN);

    /// Those whose kernels have page tables of their own.
    pub const OWN_TABLES: Self = Self::NATIVE.union(Self::KVM).union(Self::HYPERV);
}

/// One line of a story.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// The CPU it is told to, below [`Header::cpus`]; 0 and without meaning where [`Action::has_cpu`] says no.
    pub cpu: u8,
    /// What happens.
    pub action: Action,
    /// Where it is to stop; only where [`Action::takes_pause`] says so.
    pub pause: Option<Pause>,
}

/// What happens in an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A caller asks the kernel for something, with operands as told: a slot that is not live stands for another. Interrupts are
    /// off only where the row of the operation says that they may be.
    Call(Call<oracle::vocabulary::Told>),
    /// What is paused on this CPU, the innermost of it, goes on.
    Continue,
    /// A pending interrupt is taken.
    Deliver {
        /// From this CPU; otherwise the one that the hardware would take first.
        from: Option<u8>,
    },
    /// The hardware walks to this address on its own accord.
    Fill {
        /// Where; a mapping that is gone means where it last lay.
        place: Place,
    },
    /// The hardware walks to this user address on its own accord.
    FillUser {
        /// Where, if the CPU has a root loaded that leads there.
        at: UserPage,
    },
    /// The host beneath takes the CPU away, where there is one that does: it executes nothing until it is given back.
    HostPreempt,
    /// The host beneath gives the CPU back.
    HostEnter,
    /// The CPU carries out the oldest invalidation that was broadcast to it.
    ApplyBroadcast,
    /// The oldest stores in this CPU's buffer become visible.
    DrainStores {
        /// How many, 1 to [`MAX_STORES`].
        count: u8,
    },
    /// A grace period passes, if no reader holds it up.
    GracePeriod,
    /// Deferred work that is queued runs on this CPU.
    RunWork,
    /// Another domain takes the frames that were given away, looks at what it has and writes to it.
    Touch,
}

impl Action {
    /// Whether it happens on a CPU, rather than to all of them.
    pub const fn has_cpu(&self) -> bool {
        match self {
            Self::GracePeriod | Self::Touch => false,
            Self::Call(call) => !call.operation.is_of_a_device(),
            _ => true,
        }
    }

    /// Whether it runs code of the kernel, which can be paused.
    pub const fn takes_pause(&self) -> bool {
        match self {
            Self::Call(call) => !call.operation.is_of_a_device(),
            Self::Continue | Self::Deliver { .. } | Self::RunWork | Self::HostPreempt | Self::HostEnter => {
                true
            }
            _ => false,
        }
    }

    /// Whether it starts something anew on its CPU, so that what is paused there is continued first.
    pub const fn begins(&self) -> bool {
        match self {
            Self::Call(call) => !call.operation.is_of_a_device(),
            Self::RunWork => true,
            _ => false,
        }
    }

    /// The word for it in the text form.
    pub fn name(&self) -> &'static str {
        self.tag().word()
    }
}
