//! How a run goes, on standard error: a bar on a terminal, else a line now and then. The only file here that may say
//! something that differs from run to run.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use harness::story::Under;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::count;
use crate::under;

/// How often there is a line where there is no bar.
const LINE: Duration = Duration::from_secs(10);

/// Shows how a run goes.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    seconds: Option<u64>,
    began: Instant,
    next_line: Instant,
}

impl Progress {
    /// A run that ends after so many stories or seconds, or by Ctrl-C.
    pub(super) fn new(under: &Under, stories: Option<u64>, seconds: Option<u64>) -> Self {
        let began = Instant::now();
        let name = Some(under::describe(under)).filter(|name| !name.is_empty());
        let name = name.map(|name| name + ": ").unwrap_or_default();
        let bar = io::stderr().is_terminal().then(|| bar(&name, stories.or(seconds)));
        Self { bar, name, seconds, began, next_line: began + LINE }
    }

    /// Something worth a line of its own.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{}{line}", self.name),
        }
    }

    /// So many stories were played up to now, and found so much.
    pub(super) fn tick(&mut self, stories: u64, findings: usize) {
        let elapsed = self.began.elapsed();
        if let Some(bar) = &self.bar {
            bar.set_position(if self.seconds.is_some() { elapsed.as_secs() } else { stories });
            bar.set_message(line(stories, findings, elapsed));
        } else if Instant::now() >= self.next_line {
            self.next_line += LINE;
            eprintln!("{}{}", self.name, line(stories, findings, elapsed));
        }
    }

    /// It is over.
    pub(super) fn end(self, stories: u64, findings: usize, elapsed: Duration) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}{} in {:.1} s", self.name, line(stories, findings, elapsed), elapsed.as_secs_f64());
    }
}

fn bar(name: &str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), "[{bar:30}] {eta} left  {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {elapsed}  {msg}"),
    };
    let style = ProgressStyle::with_template(&format!("{name}{template}")).expect("a template of ours");
    bar.with_style(style)
}

fn line(stories: u64, findings: usize, elapsed: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = stories as f64 / elapsed.as_secs_f64().max(1e-3);
    let findings = count(findings as u64, "finding", "findings");
    format!("{} ({rate:.0}/s), {findings}", count(stories, "story", "stories"))
}
