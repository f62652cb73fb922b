//! What happened, in a few words.

use impls::family;
use machine::{Entry, Holder, Role, Target, TraceEvent, Wait};

use crate::coverage::point_name;

/// The words for one thing that happened.
pub(super) fn say(event: &TraceEvent) -> String {
    match *event {
        TraceEvent::Load { target, value } => format!("reads {}: {}", place(target), word(target, value)),
        TraceEvent::Store { target, old, value, buffered } => {
            let change = change(target, old, value);
            if buffered { format!("{change}, in its store buffer") } else { change }
        }
        TraceEvent::Drained { target, value, .. } => {
            format!("memory gets {} := {}", place(target), word(target, value))
        }
        TraceEvent::Locked { target, old, new } if old == new => {
            format!("tries {}: {}", place(target), word(target, old))
        }
        TraceEvent::Locked { target, old, new } => change(target, old, new),
        TraceEvent::Fence => "fence".to_owned(),
        TraceEvent::Cleared { frame } => format!("clears {frame}"),
        TraceEvent::Filled { va, frame, speculative } => {
            let who = if speculative { "a walker caches" } else { "caches" };
            format!("{who} {va:#x} -> {frame}")
        }
        TraceEvent::Walked { va, levels, .. } => format!("walks {levels} levels for {va:#x}"),
        TraceEvent::Invalidated { scope, va, lost, .. } => {
            let what = va.map_or_else(|| "everything".to_owned(), |va| format!("{va:#x}"));
            format!("{scope}: forgets {what} ({} cached)", lost.leaves)
        }
        TraceEvent::Cr3 { root, .. } => format!("loads cr3: {root}"),
        TraceEvent::Read { va, frame: Some(frame), value } => format!("reads {va:#x} ({frame}): {value}"),
        TraceEvent::Write { va, frame: Some(frame), value } => format!("writes {va:#x} ({frame}) := {value}"),
        TraceEvent::Read { va, frame: None, .. } => format!("reads {va:#x}: fault"),
        TraceEvent::Write { va, frame: None, .. } => format!("writes {va:#x}: fault"),
        TraceEvent::IpiSent { to, .. } => format!("interrupts c{to}"),
        TraceEvent::InterruptTaken { from, .. } => format!("takes the interrupt of c{from}"),
        TraceEvent::InterruptDone => "returns from the interrupt".to_owned(),
        TraceEvent::Paused { point } => format!("is paused before {}", point_name(point)),
        TraceEvent::Waits { wait } => waits(&wait),
        TraceEvent::Waited { .. } => "goes on".to_owned(),
        TraceEvent::Locks { name } => format!("takes {name}"),
        TraceEvent::IrqOff => "interrupts off".to_owned(),
        TraceEvent::IrqOn => "interrupts on".to_owned(),
        TraceEvent::Role { frame, old, new } => format!("{frame}: {} becomes {}", role(old), role(new)),
        TraceEvent::Hypercall { name } => format!("hypercall {name}"),
        TraceEvent::Returned => "returns from the hypervisor".to_owned(),
        TraceEvent::Note { text, value } => format!("{text} {value}"),
    }
}

fn waits(wait: &Wait) -> String {
    let name = family::name(wait.var.family).unwrap_or("a variable");
    match wait.holder {
        Holder::Cpu(cpu) => format!("waits for c{cpu} ({name})"),
        Holder::Anyone | Holder::Background => format!("waits ({name})"),
    }
}

fn role(role: Role) -> String {
    match role {
        Role::Free => "free".to_owned(),
        Role::Data => "data".to_owned(),
        Role::Table(level) => format!("a table of level {level}"),
        Role::Queued(level) => format!("a table of level {level} that waits to be freed"),
        Role::Foreign => "foreign".to_owned(),
    }
}

/// Where an access goes.
pub(super) fn place(target: Target) -> String {
    match target {
        Target::Var(var) => family::name(var.family).unwrap_or("a variable").to_owned(),
        Target::Word(word) => format!("entry {} of {}", word.index, word.frame),
    }
}

fn word(target: Target, value: u64) -> String {
    match target {
        Target::Var(_) if value == u64::MAX => "everything".to_owned(),
        Target::Var(_) if value > 9 => format!("{value:#x}"),
        Target::Var(_) => value.to_string(),
        Target::Word(_) => format!("{:?}", Entry(value)),
    }
}

fn change(target: Target, old: u64, new: u64) -> String {
    format!("{}: {} becomes {}", place(target), word(target, old), word(target, new))
}
