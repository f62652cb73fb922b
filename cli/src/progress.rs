//! How a long command goes, on standard error: a bar on a terminal, else a line now and then. The only file here that
//! may say something that differs from time to time.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{count, remark};

/// How often there is a line where there is no bar.
const LINE: Duration = Duration::from_secs(10);

/// When it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// After this many stories.
    Stories(u64),
    /// After this many seconds.
    Seconds(u64),
    /// At a time that is not known beforehand.
    Open,
}

/// Shows how it goes.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    end: End,
    began: Instant,
    next_line: Instant,
}

impl Progress {
    /// Something with this name, which may be empty.
    pub(crate) fn new(name: &str, end: End) -> Self {
        let began = Instant::now();
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let bar = io::stderr().is_terminal().then(|| bar(&name, end));
        Self { bar, name, end, began, next_line: began + LINE }
    }

    /// Something worth a line of its own.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => remark(format_args!("{}{line}", self.name)),
        }
    }

    /// This many stories were played up to now, and that is how far it got.
    pub(crate) fn tick(&mut self, stories: u64, far: &str) {
        let elapsed = self.began.elapsed();
        if let Some(bar) = &self.bar {
            match self.end {
                End::Seconds(_) => bar.set_position(elapsed.as_secs()),
                End::Stories(_) => bar.set_position(stories),
                End::Open => bar.tick(),
            }
            bar.set_message(line(stories, far, elapsed));
        } else if Instant::now() >= self.next_line {
            self.next_line += LINE;
            remark(format_args!("{}{}", self.name, line(stories, far, elapsed)));
        }
    }

    /// It is over.
    pub(crate) fn end(self, stories: u64, far: &str) {
        let elapsed = self.began.elapsed();
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let line = line(stories, far, elapsed);
        remark(format_args!("{}{line} in {:.1} s", self.name, elapsed.as_secs_f64()));
    }
}

fn bar(name: &str, end: End) -> ProgressBar {
    let (bar, template) = match end {
        End::Stories(length) | End::Seconds(length) => {
            (ProgressBar::new(length), "[{bar:30}] {eta} left  {msg}")
        }
        End::Open => (ProgressBar::new_spinner(), "{spinner} {elapsed}  {msg}"),
    };
    let style = ProgressStyle::with_template(&format!("{name}{template}")).expect("a template of ours");
    bar.with_style(style)
}

fn line(stories: u64, far: &str, elapsed: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = stories as f64 / elapsed.as_secs_f64().max(1e-3);
    format!("{} ({rate:.0}/s), {far}", count(stories, "story", "stories"))
}
