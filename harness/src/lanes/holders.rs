//! What is still held when the story stops: entries, translations, interrupts that no CPU took.

use machine::{Entry, Frame, Target, TraceEvent};

use crate::runner::Recording;

use super::concern::Concern;
use super::words::place;

/// A translation that a CPU holds.
#[derive(Clone, Copy)]
struct Held {
    cpu: u8,
    page: u64,
    frame: Frame,
    /// Where in the trace it was cached.
    since: usize,
}

/// A line for each entry that still leads to a page, each translation that a CPU still holds, and each interrupt that
/// no CPU took.
pub(super) fn at_the_end(recording: &Recording, concern: &Concern) -> Vec<String> {
    let mut held: Vec<Held> = Vec::new();
    let mut sent: Vec<(u8, u8)> = Vec::new();
    let mut entries: Vec<(Target, Entry, usize)> = Vec::new();
    for (since, line) in recording.trace.iter().enumerate().take_while(|(at, _)| *at < recording.teardown) {
        let cpu = line.cpu;
        match line.event {
            TraceEvent::Filled { va, frame, .. } if concern.has_page(va) => {
                held.retain(|one| (one.cpu, one.page) != (cpu, va));
                held.push(Held { cpu, page: va, frame, since });
            }
            TraceEvent::Invalidated { va, .. } => {
                held.retain(|one| one.cpu != cpu || va.is_some_and(|va| va != one.page));
            }
            TraceEvent::Store { target, old, value, buffered: false }
            | TraceEvent::Drained { target, old, value }
            | TraceEvent::Locked { target, old, new: value }
                if concern.is_entry(target, old, value) =>
            {
                entries.retain(|(other, ..)| *other != target);
                if Entry(value).present() {
                    entries.push((target, Entry(value), since));
                }
            }
            TraceEvent::IpiSent { to, .. } => sent.push((cpu, to)),
            TraceEvent::InterruptTaken { from, .. } => {
                if let Some(taken) = sent.iter().position(|one| *one == (from, cpu)) {
                    sent.remove(taken);
                }
            }
            _ => {}
        }
    }
    let event_of = |place: usize| recording.begins.partition_point(|begin| *begin <= place);
    let holders = held.iter().map(|one| {
        let Held { cpu, page, frame, since } = *one;
        let flushed = recording.trace[since..]
            .iter()
            .filter(|line| matches!(line.event, TraceEvent::Invalidated { .. }))
            .map(|line| line.cpu);
        let mut others: Vec<_> =
            flushed.filter(|other| *other != cpu).map(|other| format!("c{other}")).collect();
        others.sort();
        others.dedup();
        let others = match &others[..] {
            [] => "nobody flushed anything since".to_owned(),
            others => format!("since then a flush was made on {}, and none for it here", others.join(", ")),
        };
        format!("c{cpu} holds {page:#x} -> {frame}, cached during event {}; {others}.", event_of(since))
    });
    let interrupts =
        sent.iter().map(|(from, to)| format!("The interrupt that c{from} sent to c{to} was not taken."));
    let entries = entries.iter().map(|(target, entry, since)| {
        let (at, during) = (place(*target), event_of(*since));
        format!("The tables: {at} leads to {}, set during event {during}.", entry.frame())
    });
    entries.chain(holders).chain(interrupts).collect()
}
