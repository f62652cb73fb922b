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

/// Where the columns stand.
struct Columns {
    /// The column of each CPU.
    cpus: Vec<usize>,
    /// The column of the lines of code.
    at: usize,
}

impl Columns {
    /// Each CPU has room for its longest line; where that gets too wide, lines run over into the columns of CPUs to the
    /// right, which say nothing in that line.
    fn of(lines: &[Line], cpus: u8) -> Self {
        let longest = |cpu: u8| {
            let words = lines.iter().filter(|line| line.cpu == cpu).map(|line| line.words.chars().count());
            words.max().unwrap_or(0).max(4)
        };
        let longest: Vec<_> = (0..cpus).map(longest).collect();
        let code = lines.iter().map(|line| line.at.chars().count()).max().unwrap_or(0);
        let within = |most: usize| {
            let mut columns = Self { cpus: Vec::new(), at: 0 };
            let mut from = 0;
            for words in &longest {
                columns.cpus.push(from);
                columns.at = columns.at.max(from + words + GAP);
                from += (words + GAP).min(most);
            }
            columns
        };
        let mut most = longest.iter().max().map_or(0, |words| words + GAP);
        while most > NARROWEST && within(most).at + code > WIDEST {
            most -= 1;
        }
        within(most)
    }
}

/// Between columns.
const GAP: usize = 3;
/// A column is never narrower, if what it says is not.
const NARROWEST: usize = 10;
/// So wide lines may get, if they can.
const WIDEST: usize = 140;

/// The lines under their events.
pub(super) fn draw(lines: &[Line], resolved: &Resolved, recording: &Recording) -> Vec<String> {
    let columns = Columns::of(lines, resolved.header.cpus);
    let mut names = String::new();
    for (cpu, column) in columns.cpus.iter().enumerate() {
        names = format!("{names:column$}c{cpu}");
    }
    let mut text = vec![format!("     {names}")];
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
            let before = columns.cpus[usize::from(line.cpu)];
            let rest = columns.at - before;
            let row = format!("     {:before$}{:<rest$}{}", "", line.words, line.at);
            row.trim_end().to_owned()
        }));
    }
    text
}
