//! One column for each CPU: the lines that matter, under the events during which they happened.

use machine::{TraceEvent, TraceLine};

use crate::runner::Recording;
use crate::story::{Resolved, Told};

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
pub(super) fn draw(lines: &[Line], resolved: &Resolved, recording: &Recording) -> Vec<String> {
    let width = |cpu: u8| {
        let words = lines.iter().filter(|line| line.cpu == cpu).map(|line| line.words.chars().count());
        words.max().unwrap_or(0).max(4) + 3
    };
    let widths: Vec<_> = (0..resolved.header.cpus).map(width).collect();
    let names: Vec<_> =
        widths.iter().enumerate().map(|(cpu, &width)| format!("{:<width$}", format!("c{cpu}"))).collect();
    let mut text = vec![format!("     {}", names.concat().trim_end())];
    for event in 0..=resolved.events.len() {
        let mut of_event = lines.iter().filter(|line| line.event == event).peekable();
        match resolved.events.get(event).map(Told::to_event) {
            Some(Some(told)) => {
                let outcome = recording.outcomes.iter().find(|(of, _)| usize::from(*of) == event);
                let outcome = outcome.map_or(String::new(), |(_, outcome)| format!("   => {outcome}"));
                text.push(format!("{:>3}  {told}{outcome}", event + 1));
            }
            None if of_event.peek().is_some() => text.push("     after the last event".to_owned()),
            Some(None) | None => continue,
        }
        text.extend(of_event.map(|line| {
            let (before, rest) = widths.split_at(usize::from(line.cpu));
            let (before, rest) = (before.iter().sum::<usize>(), rest.iter().sum::<usize>());
            let row = format!("     {:before$}{:<rest$}{}", "", line.words, line.at);
            row.trim_end().to_owned()
        }));
    }
    text
}
