//! The threads of a run. Each has a runner of its own and takes the next stretch of the sequence when it is done with
//! one; nothing that a story comes to may depend on which thread plays it.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use harness::combinations;
use harness::coverage::Coverage;
use harness::headline::{Finding, Headline};
use harness::story::{Backends, Story, Under};

use crate::output::remark;
use crate::under;

use super::sequence::{Chunk, Sequence};

/// How often the thread that waits for the others looks whether the run is over.
const TICK: Duration = Duration::from_millis(100);

/// What is played by how many.
#[derive(Debug)]
pub(crate) struct Jobs<'a> {
    pub(crate) sequence: Sequence,
    pub(crate) under: &'a Under,
    pub(crate) threads: usize,
}

/// A story that found something.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) number: u64,
    pub(crate) story: Story,
    pub(crate) finding: Finding,
}

/// What the threads have to say.
#[derive(Debug)]
pub(crate) enum Message {
    /// A finding that is new to the thread that made it.
    Found(Box<Hit>),
    /// This many stories were played up to now.
    Tick(u64),
}

/// What the threads share.
#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    played: AtomicU64,
    stop: AtomicBool,
}

impl Jobs<'_> {
    /// Plays until the sequence is over or `hear` says no. It hears each finding and, now and then, how it goes; what
    /// was found before it said no is heard too.
    pub(crate) fn run(&self, mut hear: impl FnMut(Message) -> bool) -> Coverage {
        let shared = Shared::default();
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| {
                    let (sender, shared) = (sender.clone(), &shared);
                    scope.spawn(move || self.work(shared, &sender))
                })
                .collect();
            drop(sender);
            loop {
                let message = match receiver.recv_timeout(TICK) {
                    Ok(hit) => Message::Found(hit),
                    Err(RecvTimeoutError::Timeout) => Message::Tick(shared.played.load(Ordering::Relaxed)),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if !hear(message) {
                    shared.stop.store(true, Ordering::Relaxed);
                }
            }
            let mut coverage = Coverage::default();
            for thread in threads {
                coverage.merge(&thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            coverage
        })
    }

    fn work(&self, shared: &Shared, sender: &Sender<Box<Hit>>) -> Coverage {
        let mut runner = under::runner(self.under);
        let mut story = Story::default();
        // Within a thread the numbers grow, so the first story of a headline is the lowest. Who else meets the same is told
        // too, once for each operation.
        let mut known = BTreeSet::<(Headline, &str)>::new();
        while let Some(chunk) = self.sequence.chunk(shared.next.fetch_add(1, Ordering::Relaxed)) {
            let Chunk { mut generator, first, count } = chunk;
            for number in first..first + count {
                if shared.stop.load(Ordering::Relaxed) {
                    return runner.take_coverage();
                }
                generator.next(&mut story);
                let header = &mut story.header;
                combinations::leave_open(&mut header.designs, runner.setup(), header.backends);
                let found = {
                    let _told = Witness { number, story: &story };
                    runner.play(&story, Backends::all())
                };
                if let Some(finding) = found
                    && known.insert((finding.headline.clone(), finding.headline.operation))
                {
                    let hit = Hit { number, story: story.clone(), finding };
                    sender.send(Box::new(hit)).expect("the receiver outlives the threads");
                }
                shared.played.fetch_add(1, Ordering::Relaxed);
            }
        }
        runner.take_coverage()
    }
}

/// Says which story was being played when the harness itself broke.
struct Witness<'a> {
    number: u64,
    story: &'a Story,
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            remark(format_args!("shootdown: the harness broke in story {}:\n{}", self.number, self.story));
        }
    }
}
