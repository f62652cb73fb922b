//! Plainer operands: fewer pages, lower slots, interrupts on, lower CPUs; a plainer operation that often does as well.

use oracle::vocabulary::{Call, Operation, Sort, Told};

use crate::story::operand::Operand;
use crate::story::{Action, Event, Tag, codec};
use crate::tactics;
use crate::tactics::aliases::DRAIN;
use crate::tactics::astray::FLUSH;

use super::Shrink;

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    let mut index = 0;
    while index < shrink.story.events.len() {
        for plainer in plainer(&shrink.story.events[index]) {
            shrink.attempt_with(|story| story.events[index].action = plainer);
            if index >= shrink.story.events.len() {
                return;
            }
        }
        for cpu in 0..shrink.story.events[index].cpu {
            shrink.attempt_with(|story| story.events[index].cpu = cpu);
            if index >= shrink.story.events.len() {
                return;
            }
        }
        index += 1;
    }
    // A page is told by its slot from the beginning, and keeps it.
    for sort in Sort::ALL.into_iter().filter(|sort| *sort != Sort::Page) {
        shrink.attempt_with(|story| rename(&mut story.events, sort));
    }
}

/// Other ways to tell an event, the plainest first.
fn plainer(event: &Event) -> Vec<Action> {
    match event.action {
        Action::Call(call) => {
            let with = |irqs_off| move |operation| Action::Call(Call { operation, irqs_off });
            let mut ways: Vec<_> = plainer_operations(&call.operation).map(with(false)).collect();
            if call.irqs_off {
                ways.push(Action::Call(Call { irqs_off: false, ..call }));
                ways.extend(plainer_operations(&call.operation).map(with(true)));
            }
            if call.operation != DRAIN && call.operation != FLUSH {
                ways.push(Action::Call(Call { operation: FLUSH, irqs_off: false }));
            }
            ways
        }
        Action::Fill { place } => place.plainer().into_iter().map(|place| Action::Fill { place }).collect(),
        Action::FillUser { at } => at.plainer().into_iter().map(|at| Action::FillUser { at }).collect(),
        Action::Deliver { from: Some(_) } => vec![Action::Deliver { from: None }],
        Action::DrainStores { count } => (1..count).map(|count| Action::DrainStores { count }).collect(),
        Action::Deliver { from: None }
        | Action::Continue
        | Action::GracePeriod
        | Action::RunWork
        | Action::HostPreempt
        | Action::HostEnter
        | Action::ApplyBroadcast
        | Action::Touch => Vec::new(),
    }
}

fn plainer_operations(operation: &Operation<Told>) -> impl Iterator<Item = Operation<Told>> {
    let another = tactics::of(Tag::of_operation(operation)).plainer.and_then(|plainer| plainer(*operation));
    another.into_iter().chain(codec::plainer(operation))
}

/// The things of a sort are numbered by their first appearance.
fn rename(events: &mut [Event], sort: Sort) {
    let mut names: Vec<u8> = Vec::new();
    let mut name = |of: Sort, old: u8| {
        if of != sort {
            return old;
        }
        let known = names.iter().position(|known| *known == old);
        known.unwrap_or_else(|| {
            names.push(old);
            names.len() - 1
        }) as u8
    };
    for event in events {
        match &mut event.action {
            Action::Call(call) => codec::rename(&mut call.operation, &mut name),
            Action::Fill { place } => place.rename(&mut name),
            Action::FillUser { at } => at.rename(&mut name),
            Action::Deliver { .. }
            | Action::DrainStores { .. }
            | Action::Continue
            | Action::GracePeriod
            | Action::RunWork
            | Action::HostPreempt
            | Action::HostEnter
            | Action::ApplyBroadcast
            | Action::Touch => {}
        }
    }
}
