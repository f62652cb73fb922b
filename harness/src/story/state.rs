//! What callers hold, as told: which slots are live, which are busy, and what is paused on which CPU.
//!
//! Nothing here knows what a kernel really did. An operation ends as told at its own line, or, if it has a pause, at
//! the `continue` of it or at the next event that begins something on its CPU. That is never earlier than the
//! operation really ends, so a caller never breaks its contract.

use oracle::vocabulary::{Call, Operation, UserPage};

use crate::tactics::kin::Things;

use super::held::Held;
use super::{Action, Event, Header, MAX_CPUS, ResolvedAction, Told};

/// This many operations and handlers are paused on one CPU at most, one within the other.
pub(crate) const MAX_NEST: usize = 6;

/// What callers hold at one moment of the telling.
#[derive(Clone, Debug)]
pub(super) struct State {
    cpus: u8,
    held: Held,
    paused: [Stack; MAX_CPUS as usize],
}

/// What is paused on a CPU, the outermost first. Handlers hold nothing.
#[derive(Clone, Copy, Debug)]
struct Stack {
    frames: [Option<Operation>; MAX_NEST],
    depth: usize,
}

impl State {
    /// At the beginning of a story.
    pub(super) fn new(header: &Header) -> Self {
        Self {
            cpus: header.cpus.clamp(1, MAX_CPUS),
            held: Held::new(),
            paused: [Stack { frames: [None; MAX_NEST], depth: 0 }; MAX_CPUS as usize],
        }
    }

    /// Tells the next event: binds its operands and takes over what it changes. A void event changes nothing, and
    /// does not continue what is paused on its CPU either.
    pub(super) fn tell(&mut self, index: u16, event: &Event) -> Told {
        let cpu = event.cpu % self.cpus;
        let seat = usize::from(cpu);
        let pause = event.pause.filter(|_| event.action.takes_pause());
        let mut before = None;
        if event.action.begins() && self.paused[seat].depth > 0 {
            before = Some(self.held);
            self.end_all(seat);
        }
        let action = self.bind(index, cpu, pause.is_some(), event.action);
        if matches!(action, ResolvedAction::Void) {
            if let Some(before) = before {
                self.held = before;
            }
            return Told { index, cpu, action, pause: None, nest: self.paused[seat].depth as u8 };
        }
        let stack = &mut self.paused[seat];
        match action {
            ResolvedAction::Call(Call { operation, .. }) if operation.is_of_a_device() => {
                self.held.begin(&operation);
                self.held.end(&operation);
            }
            ResolvedAction::Call(Call { operation, .. }) => {
                stack.depth = 0;
                self.held.begin(&operation);
                if pause.is_some() {
                    stack.push(Some(operation));
                } else {
                    self.held.end(&operation);
                }
            }
            ResolvedAction::RunWork => {
                stack.depth = 0;
                if pause.is_some() {
                    stack.push(None);
                }
            }
            ResolvedAction::Deliver { .. } | ResolvedAction::HostPreempt | ResolvedAction::HostEnter
                if pause.is_some() =>
            {
                stack.push(None);
            }
            ResolvedAction::Continue if pause.is_none() => {
                stack.depth -= 1;
                if let Some(operation) = stack.frames[stack.depth] {
                    self.held.end(&operation);
                }
            }
            _ => {}
        }
        Told { index, cpu, action, pause, nest: self.paused[seat].depth as u8 }
    }

    /// How many operations and handlers are paused on this CPU.
    pub(super) fn nest(&self, cpu: u8) -> usize {
        self.paused[usize::from(cpu % self.cpus)].depth
    }

    /// What a caller may do something with now, and what it may not.
    pub(super) const fn held(&self) -> &Held {
        &self.held
    }

    /// What the operations act on that are paused.
    pub(super) fn held_up(&self) -> Things {
        let mut all = Things::default();
        for operation in self.paused_operations() {
            let on = self.held.acted_on(operation);
            all.iter_mut().zip(on).for_each(|(all, on)| *all = all.or(on));
        }
        all
    }

    /// The operations that are paused.
    pub(super) fn paused_operations(&self) -> impl Iterator<Item = &Operation> {
        self.paused.iter().flat_map(|stack| &stack.frames[..stack.depth]).flatten()
    }

    fn end_all(&mut self, seat: usize) {
        let stack = self.paused[seat];
        for operation in stack.frames[..stack.depth].iter().rev().flatten() {
            self.held.end(operation);
        }
    }

    fn bind(&self, index: u16, cpu: u8, pauses: bool, action: Action) -> ResolvedAction {
        let depth = self.paused[usize::from(cpu)].depth;
        match action {
            Action::Call(call) => match self.held.bind_all(&call.operation, index) {
                Some(operation) => ResolvedAction::Call(Call {
                    operation,
                    irqs_off: call.irqs_off && operation.row().irqs_off,
                }),
                None => ResolvedAction::Void,
            },
            Action::Continue if depth == 0 => ResolvedAction::Void,
            Action::Continue => ResolvedAction::Continue,
            Action::Deliver { .. } | Action::HostPreempt | Action::HostEnter
                if pauses && depth == MAX_NEST =>
            {
                ResolvedAction::Void
            }
            Action::HostPreempt => ResolvedAction::HostPreempt,
            Action::HostEnter => ResolvedAction::HostEnter,
            Action::ApplyBroadcast => ResolvedAction::ApplyBroadcast,
            Action::Deliver { from } => ResolvedAction::Deliver { from: from.map(|cpu| cpu % self.cpus) },
            Action::Fill { place } => match self.held.last_lay(place) {
                Some(place) => ResolvedAction::Fill { place },
                None => ResolvedAction::Void,
            },
            Action::FillUser { at } => match self.held.last_mm(at.mm) {
                Some(mm) => ResolvedAction::FillUser { at: UserPage { mm, ..at } },
                None => ResolvedAction::Void,
            },
            Action::DrainStores { count } => ResolvedAction::DrainStores { count },
            Action::GracePeriod => ResolvedAction::GracePeriod,
            Action::RunWork => ResolvedAction::RunWork,
            Action::Touch => ResolvedAction::Touch,
        }
    }
}

impl Stack {
    fn push(&mut self, operation: Option<Operation>) {
        self.frames[self.depth] = operation;
        self.depth += 1;
    }
}
