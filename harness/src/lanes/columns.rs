//! One column for each CPU: the lines that matter, under the events during which they happened.

use machine::{TraceEvent, TraceLine};

use crate::runner::Recording;
use crate::story::Resolved;

use super::concern::Concern;
use super::words::say;

/// A line of a report.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The event during which it happened; the number of events for what came after the last.
    event: usize,
    cpu: u8,
    words: String,
    /// The line of code.
    at: String,
}

/// The lines that touch what the report is about.
pub(super) fn lines(recording: &Recording, concern: &Concern) -> Vec<Line> {
    let mut lines = Vec::new();
    // Calls of the hypervisor are worth a line only if something happens in them.
    let mut calls: [Option<TraceLine>; 8] = [None; 8];
    let end = if concern.teardown { usize::MAX } else { recording.teardown };
    for (number, traced) in recording.trace.iter().enumerate().take_while(|(number, _)| *number < end) {
        let event = recording.begins.partition_point(|begin| *begin <= number).saturating_sub(1);
        let call = &mut calls[usize::from(traced.cpu)];
        match traced.event {
            TraceEvent::Hypercall { .. } => *call = Some(*traced),
            TraceEvent::Returned => *call = None,
            _ if concern.touches(event, &traced.event) => {
                lines.extend(call.take().map(|call| line(event, &call)));
                lines.push(line(event, traced));
            }
            _ => {}
        }
    }
    lines
}

fn line(event: usize, traced: &TraceLine) -> Line {
    let at = traced.at.map_or(String::new(), |at| {
        let file = at.file().rsplit_once("src/").map_or(at.file(), |(_, file)| file);
        format!("{file}:{}", at.line())
    });
    Line { event, cpu: traced.cpu, words: say(&traced.event), at }
}

/// The lines under their events.
pub(super) fn draw(lines: &[Line], resolved: &Resolved, recording: &Recording) -> String {
    let cpus = resolved.header.cpus;
    let width = |cpu: u8| {
        let words = lines.iter().filter(|line| line.cpu == cpu).map(|line| line.words.chars().count());
        words.max().unwrap_or(0).max(4) + 3
    };
    let widths: Vec<_> = (0..cpus).map(width).collect();
    let mut text = String::from("     ");
    for (cpu, width) in widths.iter().enumerate() {
        text += &format!("{:<width$}", format!("c{cpu}"));
    }
    text = format!("{}\n", text.trim_end());
    for event in 0..=resolved.events.len() {
        let of_event = lines.iter().filter(|line| line.event == event);
        match resolved.events.get(event).map(|told| told.to_event()) {
            Some(Some(told)) => {
                let outcome = recording.outcomes.iter().find(|(of, _)| usize::from(*of) == event);
                let outcome = outcome.map_or(String::new(), |(_, outcome)| format!("   => {outcome}"));
                text += &format!("{:>3}  {told}{outcome}\n", event + 1);
            }
            Some(None) => continue,
            None if of_event.clone().next().is_none() => continue,
            None => text += "     after the last event\n",
        }
        for line in of_event {
            let before: usize = widths[..usize::from(line.cpu)].iter().sum();
            let rest: usize = widths[usize::from(line.cpu)..].iter().sum();
            let row = format!("     {:before$}{:<rest$}{}", "", line.words, line.at);
            text += &format!("{}\n", row.trim_end());
        }
    }
    text
}
