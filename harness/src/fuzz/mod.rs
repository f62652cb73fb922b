//! What the targets of the fuzzing engines are glue for: once [`init`], then [`play`] for each story.
//!
//! An engine knows of a finding only that the process died. So what there is to say is said here, before it dies: the
//! headline, the story, the lanes, and how to play it again. Everything here must be the same for every engine; what an
//! engine needs for itself stands in its target.

mod request;
mod session;
mod stage;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::Path;
use std::process;

use crate::story::{Document, Form, MAX_BYTES, Story};

use session::{Finding, Session, Stage};
use stage::OnRunner;

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
    /// What panicked while a story is being played; nothing is printed then, for it may not be the headline that is
    /// looked for.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
    static PLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Makes ready to play, under the bug and the designs that the environment asks for. To be called after the engine has
/// set its panic hook, if it sets one: that would kill the process before a panic of ours can be judged. Ends the
/// process with a message where there is no such bug or design, or where the file that is to be minimized cannot be
/// read.
pub fn init(engine_args: impl Iterator<Item = String>) {
    if let Err(message) = begin(engine_args) {
        eprintln!("shootdown: {message}");
        process::exit(2);
    }
}

fn begin(engine_args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut under = request::under(|name| std::env::var(name).ok())?;
    if let Some(line) = stage::choose_variant(&mut under)? {
        eprintln!("shootdown: {line}");
    }
    // Before the runner sets a hook of its own: what that takes for a finding must not come here.
    hush_panics_while_playing();
    let mut session =
        Session::new(under, |under| OnRunner::new(under).map(|stage| Box::new(stage) as Box<dyn Stage>))?;
    if let Some(file) = request::file_to_minimize(engine_args) {
        let finding = finding_of(&mut session, &file)?;
        session.look_only_for(finding.headline);
    }
    SESSION.set(Some(session));
    Ok(())
}

/// What the file of a crash finds. The engine plays its bytes, whatever they look like, so they are played here.
fn finding_of(session: &mut Session, file: &Path) -> Result<Finding, String> {
    let place = file.display();
    let mut bytes = Vec::new();
    // To open a pipe without a writer would never return.
    if file.metadata().is_ok_and(|found| !found.is_file()) {
        return Err(format!("{place}: expected a file"));
    }
    File::open(file)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("{place}: {error}"))?;
    let document = Document::read_as(Form::Bytes, &bytes).map_err(|error| format!("{place}: {error}"))?;
    judge(session, &document.story).ok_or_else(|| match Form::of(&bytes) {
        Form::Bytes => format!("{place}: this story finds nothing"),
        Form::Text => {
            format!("{place}: expected the bytes of a story, found text; `shootdown encode` writes its bytes")
        }
    })
}

/// Plays a story. When it finds something, prints all that is known and aborts, which every engine takes for a crash;
/// a panic would make the engine say things of its own over it.
pub fn play(story: &Story) {
    if let Some(finding) = find(story) {
        eprintln!("\n{}\n", finding.report);
        process::abort();
    }
}

/// What the story finds, if it is what is looked for.
fn find(story: &Story) -> Option<Finding> {
    SESSION.with_borrow_mut(|session| {
        let session = session.as_mut().expect("init comes before play");
        let found = judge(session, story).filter(|finding| session.looks_for(&finding.headline));
        if let Some(line) = session.pulse() {
            // By its first word it is told from what the engine says.
            eprintln!("shootdown: {line}");
        }
        found
    })
}

/// Plays a story; a panic of our own code is a finding too, and one that minimizes like any other.
fn judge(session: &mut Session, story: &Story) -> Option<Finding> {
    PLAYING.set(true);
    let played = panic::catch_unwind(AssertUnwindSafe(|| session.play(story)));
    PLAYING.set(false);
    played.unwrap_or_else(|_| {
        let headline = PANICKED.take().unwrap_or_else(|| "panic".to_owned());
        // Whatever it was in the middle of will never be finished.
        session.start_over();
        let report = session.report_of_panic(&headline, story);
        Some(Finding { headline, report })
    })
}

fn hush_panics_while_playing() {
    let engines = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !PLAYING.get() {
            return engines(info);
        }
        let second = PANICKED.with_borrow_mut(|first| first.replace(describe(info)));
        if let Some(first) = second {
            // A panic out of the unwinding of another: the process dies before `judge` can report either.
            eprintln!("{first}, and while that was unwound:");
            engines(info);
        }
    }));
}

/// What panicked and where: the same for the same bug, whatever the story.
fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("something that is no text");
    let first_line = message.lines().next().unwrap_or_default();
    match info.location() {
        Some(at) => format!("panic at {}:{}: {first_line}", at.file(), at.line()),
        None => format!("panic: {first_line}"),
    }
}

#[cfg(test)]
mod tests;
