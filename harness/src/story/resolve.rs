//! Resolution: what the events of a story mean, bound to concrete handles before any backend runs.
//!
//! It goes in told order and is the same for every backend. A slot that is not live stands for the next live one of
//! its sort, wrapping; a slot for a new handle stands for the next free one; where there is none the event is void,
//! and so is an event by which the caller would break its contract.

use machine::Pause;
use oracle::vocabulary::{Call, Place, UserPage};

use super::{Action, Event, Header, State, Story, codec};

/// A story with its operands bound.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Resolved {
    /// The header of the story.
    pub header: Header,
    /// One for each event of the story, void ones too.
    pub events: Vec<Told>,
    /// How many events are void.
    pub void: usize,
}

/// An event with its operands bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Told {
    /// Which event of the story, from 0.
    pub index: u16,
    /// The CPU; 0 where the action belongs to none.
    pub cpu: u8,
    /// What happens.
    pub action: ResolvedAction,
    /// Where it is to stop.
    pub pause: Option<Pause>,
    /// How many operations and handlers are paused on this CPU, as told, after this event: what is nested deeper
    /// has to have ended by then.
    pub nest: u8,
}

/// What happens in an event, its operands bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResolvedAction {
    /// Nothing, on every backend; not even what is paused on the CPU goes on.
    Void,
    /// A caller asks the kernel for something. What is paused on the CPU goes on first, to its end.
    Call(Call),
    /// What is paused on the CPU, the innermost of it, goes on.
    Continue,
    /// A pending interrupt is taken.
    Deliver {
        /// From this CPU; otherwise the one that the hardware would take first.
        from: Option<u8>,
    },
    /// The hardware walks to where this lies or last lay; its slot was in use before, but need not be now.
    Fill {
        /// Where.
        place: Place,
    },
    /// The hardware walks to this user address; its address space was there before, but need not be now.
    FillUser {
        /// Where.
        at: UserPage,
    },
    /// The host beneath takes the CPU away, where there is one that does: it executes nothing until it is given back.
    HostPreempt,
    /// The host beneath gives the CPU back.
    HostEnter,
    /// The CPU carries out the oldest invalidation that was broadcast to it.
    ApplyBroadcast,
    /// The oldest stores in the CPU's buffer become visible.
    DrainStores {
        /// How many.
        count: u8,
    },
    /// A grace period passes.
    GracePeriod,
    /// Deferred work runs on this CPU. What is paused there goes on first, to its end.
    RunWork,
    /// Another domain takes the frames that were given away, looks at what it has and writes to it.
    Touch,
}

impl Story {
    /// Binds the operands.
    pub fn resolve(&self) -> Resolved {
        let mut resolved = Resolved::default();
        resolve_into(self, &mut resolved);
        resolved
    }
}

/// Binds the operands of a story, into memory that is used again.
pub fn resolve_into(story: &Story, resolved: &mut Resolved) {
    resolved.header = story.header;
    resolved.events.clear();
    resolved.events.reserve(story.events.len());
    resolved.void = 0;
    let mut state = State::new(&story.header);
    for (index, event) in story.events.iter().enumerate() {
        let told = state.tell(index as u16, event);
        resolved.void += usize::from(told.is_void());
        resolved.events.push(told);
    }
}

impl Resolved {
    /// A story that means the same, told with the handles that this one was bound to and without its void events.
    /// It resolves to the same calls; only the places of the events, and with them the tokens, count anew.
    pub fn to_story(&self) -> Story {
        let events = self.events.iter().filter_map(Told::to_event).collect();
        Story { header: self.header, events }
    }
}

impl Told {
    /// Whether nothing happens.
    pub const fn is_void(&self) -> bool {
        matches!(self.action, ResolvedAction::Void)
    }

    /// The event that is bound to this; none if it is void.
    pub fn to_event(&self) -> Option<Event> {
        let action = match self.action {
            ResolvedAction::Void => return None,
            ResolvedAction::Call(Call { operation, irqs_off }) => {
                Action::Call(Call { operation: codec::told(&operation), irqs_off })
            }
            ResolvedAction::Continue => Action::Continue,
            ResolvedAction::Deliver { from } => Action::Deliver { from },
            ResolvedAction::Fill { place } => Action::Fill { place },
            ResolvedAction::FillUser { at } => Action::FillUser { at },
            ResolvedAction::HostPreempt => Action::HostPreempt,
            ResolvedAction::HostEnter => Action::HostEnter,
            ResolvedAction::ApplyBroadcast => Action::ApplyBroadcast,
            ResolvedAction::DrainStores { count } => Action::DrainStores { count },
            ResolvedAction::GracePeriod => Action::GracePeriod,
            ResolvedAction::RunWork => Action::RunWork,
            ResolvedAction::Touch => Action::Touch,
        };
        Some(Event { cpu: self.cpu, action, pause: self.pause })
    }
}
