//! `shootdown designs --judge`: the cells of the tables are judged one by one, by so many threads. What comes out depends on neither.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use harness::checks::Checks;
use harness::combinations;
use harness::judge::{self, ProtocolStory, Verdict};
use harness::protocol::{DesignPoint, Designs};
use harness::runner::Runner;
use harness::story::{BACKENDS, Backends};
use harness::subject::Setup;

use crate::complaint::Done;
use crate::interrupt;
use crate::keep::Folder;
use crate::output::count;
use crate::progress::{End, Progress};

use super::verdicts::{Cell, Judged, Row, Table};

/// How often the thread that waits for the others looks how it goes.
const TICK: Duration = Duration::from_millis(100);

/// A point and a variant.
pub(super) type Choice = (&'static str, &'static str);

/// The points of one table.
#[derive(Clone, Debug)]
pub(super) struct Points(Vec<&'static str>);

impl Points {
    /// Whether it is among them.
    pub(super) fn has(&self, point: &str) -> bool {
        self.0.contains(&point)
    }
}

/// A list of points.
pub(super) fn points(text: &str) -> Result<Points, String> {
    let mut points = Points(Vec::new());
    for name in text.split(',') {
        let point = known(name)?.name;
        if points.has(point) {
            return Err(format!("expected {point} once"));
        }
        points.0.push(point);
    }
    Ok(points)
}

/// A choice that is the same in every row.
pub(super) fn choice(text: &str) -> Result<Choice, String> {
    let (point, variant) = text.split_once('=').ok_or("expected POINT=VARIANT, like walk_guard=none")?;
    Designs::default().choose(point, variant).map_err(|error| error.to_string())?;
    let known = known(point)?;
    let (variant, _) = known.variants.iter().find(|(name, _)| *name == variant).expect("it was chosen");
    Ok((known.name, variant))
}

/// The point of this name. The stories are about user memory: of other points they would find nothing.
fn known(name: &str) -> Result<&'static DesignPoint, String> {
    let all = || Designs::POINTS.iter().filter(|point| combinations::is_of_user_half(point));
    all().find(|point| point.name == name).ok_or_else(|| {
        let names: Vec<_> = all().map(|point| point.name).collect();
        format!("no design point \"{name}\" about user memory; expected one of {}", names.join(", "))
    })
}

/// What is to be judged.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) points: &'a [Points],
    pub(super) fixed: &'a [Choice],
    pub(super) jobs: usize,
}

/// What the threads share.
#[derive(Debug, Default)]
struct Shared {
    next: AtomicUsize,
    played: AtomicU64,
    stop: AtomicBool,
}

/// A cell that was judged, by its number; none if it was not judged to its end.
type Message = (usize, Option<Verdict>);

impl Judge<'_> {
    /// Judges every cell, or as many as there are until Ctrl-C. Stories by which designs break go to this folder.
    pub(super) fn judge(&self, out: Option<&Path>) -> Done<Judged> {
        let folder = out.map(Folder::new).transpose()?;
        interrupt::catch()?;
        let tables: Vec<Vec<Vec<Choice>>> =
            self.points.iter().map(|points| judge::rows(&points.0, self.fixed)).collect();
        let cells = tables.iter().flatten();
        let cells = cells.flat_map(|row| BACKENDS.map(|(backend, _)| (self.designs(row), backend)));
        // What stands in two tables is judged once.
        let cells: Vec<_> = cells.collect::<BTreeSet<_>>().into_iter().collect();
        let verdicts: BTreeMap<_, _> = cells.iter().copied().zip(self.verdicts(&cells)).collect();
        let mut judged = Judged::new(self.fixed);
        for (points, rows) in self.points.iter().zip(&tables) {
            let mut table = Table::new(&points.0);
            for row in rows {
                let mut cells = Vec::new();
                for (backend, name) in BACKENDS {
                    let designs = self.designs(row);
                    let verdict = verdicts[&(designs, backend)].clone();
                    cells.push(Cell::new(designs, (backend, name), verdict, folder.as_ref())?);
                }
                table.rows.push(Row::new(row, cells));
            }
            judged.add(table);
        }
        Ok(judged)
    }

    fn designs(&self, row: &[Choice]) -> Designs {
        let mut designs = Designs::default();
        for (point, variant) in self.fixed.iter().chain(row) {
            designs.choose(point, variant).expect("designs that were looked up before");
        }
        designs
    }

    /// What each of these cells comes to, in their order; none where it was not judged to its end.
    fn verdicts(&self, cells: &[(Designs, Backends)]) -> Vec<Option<Verdict>> {
        let shared = Shared::default();
        let mut verdicts = vec![None; cells.len()];
        let mut progress = Progress::new("designs", End::Open);
        let mut done = 0;
        let far = |done: usize| format!("{done} of {}", count(cells.len() as u64, "verdict", "verdicts"));
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs)
                .map(|_| {
                    let (sender, shared) = (sender.clone(), &shared);
                    scope.spawn(move || work(cells, shared, &sender))
                })
                .collect();
            drop(sender);
            loop {
                match receiver.recv_timeout(TICK) {
                    Ok((cell, verdict)) => {
                        done += usize::from(verdict.is_some());
                        verdicts[cell] = verdict;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                progress.tick(shared.played.load(Ordering::Relaxed), &far(done));
                if interrupt::asked() {
                    shared.stop.store(true, Ordering::Relaxed);
                }
            }
            for thread in threads {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            }
        });
        progress.end(shared.played.into_inner(), &far(done));
        verdicts
    }
}

fn work(cells: &[(Designs, Backends)], shared: &Shared, sender: &Sender<Message>) {
    let mut runner = Runner::new(Setup::default(), Checks::default());
    let protocols = ProtocolStory::all();
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some((designs, backend)) = cells.get(number) else { return };
        let chosen = designs.changed().map(|(point, variant)| (point.to_owned(), variant.to_owned()));
        runner.change_setup(Setup::default().asking_for(chosen.collect()));
        let verdict = judge::judge(&mut runner, &protocols, *backend, &mut || {
            shared.played.fetch_add(1, Ordering::Relaxed);
            !shared.stop.load(Ordering::Relaxed)
        });
        if sender.send((number, verdict)).is_err() {
            return;
        }
    }
}
