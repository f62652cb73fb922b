//! The possible states of one page, and the changes of it that are in flight or overlapped one in flight.
//!
//! # Why the true state is always among them
//!
//! Suppose that each change takes effect on the tables at moments between its begin and its end, and that it promises of the
//! TLBs only this: when it ends, no CPU uses a translation that it revoked. There are two sets.
//!
//! `tables` contains what the tables say.
//! - *A change begins*: the set is closed under all changes in flight, so it contains what any of them can make of it.
//! - *A change f ends and took effect*: just before its last effect the tables said something that was in the set at some moment
//!   since f began (`Part::collected` has all of that). So now they say `f` of it, or what the changes that overlapped f made of
//!   that afterwards. Nothing else remains. Of `mmap` and `munmap`, which forget what was there, one state remains so, closed
//!   under what overlapped it.
//! - *It ends and may not have taken effect*: the set stays.
//! - *A store or a pin ends that copied* counts so only if nothing but other copies overlapped it. Otherwise a CPU may have
//!   stored through an old translation and left the tables alone.
//!
//! `usable` contains also what CPUs may still use of the past. It grows as `tables` grows, and becomes `tables` again when a change
//! ends, unless another change in flight may hide something from it: the second of two unmaps, which found nothing to do, promises
//! nothing for the first.
//!
//! ```text
//!     c0 munmap m0:0             c1 munmap m0:0              tables       usable
//!                                                            A            A
//!     begins                                                 A, none      A, none
//!     clears the entry           begins, finds nothing
//!                                ends                        none         A, none
//!                                                            a load by an old translation of c2 is legal
//!     flushes, ends                                          none         none
//! ```
//!
//! # When backends hold the same
//!
//! A page is *settled* where the story's order alone says what its state is: after a `mmap` or `munmap` that leaves one state
//! whatever overlapped it, or after another change of a settled page that no other change disturbed. What was void here, had no
//! memory, or stopped early settles nothing.

use super::state::{Change, State};
use crate::contents::CPUS;

/// A change that is in flight, or that overlapped one in flight.
#[derive(Clone, Debug)]
struct Entry {
    change: Change,
    /// What may move here, if that is the change.
    received: Vec<State>,
    cpu: usize,
    in_flight: bool,
    /// The CPUs whose change in flight overlapped it, a bit for each.
    overlapped: u8,
}

const _: () = assert!(CPUS <= u8::BITS as usize, "a CPU is a bit");

/// A page of user addresses. It has no states while its address space is not there.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) tables: Vec<State>,
    pub(super) usable: Vec<State>,
    entries: Vec<Entry>,
    pub(super) settled: bool,
}

/// What a flight knows of one page of its range.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) change: Option<Change>,
    /// All states that were possible at some moment since it began: what CPUs may use where user code or a pin accesses the
    /// page, what the tables say otherwise.
    pub(super) collected: Vec<State>,
    /// The page was settled, and no other operation changed what is possible since.
    pub(super) calm: bool,
    /// A change of the page was void here since it began.
    pub(super) void: bool,
}

impl Part {
    /// Whether it goes by what CPUs may use.
    fn accesses(&self) -> bool {
        self.change.is_none_or(Change::is_copy)
    }

    /// The next possible state that the flight did not know yet, which it knows from now on.
    pub(super) fn collect(&mut self, page: &Page) -> Option<State> {
        let states = if self.accesses() { &page.usable } else { &page.tables };
        let new = states.iter().find(|state| !self.collected.contains(state)).copied()?;
        self.collected.push(new);
        Some(new)
    }
}

impl Page {
    /// It is there, or is there no more.
    pub(super) fn become_only(&mut self, state: Option<State>) {
        for set in [&mut self.tables, &mut self.usable] {
            set.clear();
            set.extend(state);
        }
        self.entries.clear();
        self.settled = state.is_some();
    }

    /// It may be unmapped from now on, with its whole address space.
    pub(super) fn retire(&mut self) {
        insert(&mut self.tables, State::Unmapped);
        insert(&mut self.usable, State::Unmapped);
        self.settled = false;
    }

    /// Exactly one state is possible, and nothing in flight changes it.
    pub(super) fn is_certain(&self) -> bool {
        let harmless = |change: Change| change.is_copy() && change.leaves(self.usable[0]);
        self.usable.len() == 1 && self.in_flight().all(harmless)
    }

    fn in_flight(&self) -> impl Iterator<Item = Change> {
        self.entries.iter().filter(|entry| entry.in_flight).map(|entry| entry.change)
    }

    /// An operation begins on a CPU.
    pub(super) fn begin(&mut self, cpu: usize, part: &mut Part, change: Option<Change>) {
        part.collected.clear();
        (part.change, part.void) = (change, false);
        part.calm = self.settled && self.usable.len() == 1;
        let Some(change) = change else { return };
        let mut overlapped = 0;
        for entry in &mut self.entries {
            if entry.in_flight {
                entry.overlapped |= 1 << cpu;
                overlapped |= 1 << entry.cpu;
            }
        }
        self.entries.push(Entry { change, received: Vec::new(), cpu, in_flight: true, overlapped });
        let before = (self.tables.len(), self.usable.len());
        for set in [&mut self.tables, &mut self.usable] {
            for n in 0..set.len() {
                change.effects(set[n]).into_iter().for_each(|state| insert(set, state));
            }
        }
        let own = self.usable.len();
        let in_flight = self.entries.iter().filter(|entry| entry.in_flight);
        close(&mut self.tables, &in_flight);
        close(&mut self.usable, &in_flight);
        part.calm &= self.usable.len() == own;
        // What moves here may differ between backends though nothing new is possible.
        self.settled &= change != Change::Receives && (self.tables.len(), self.usable.len()) == before;
    }

    /// What may move from here by the change of this CPU: what the tables say now, but for that change.
    pub(super) fn moves(&self, cpu: usize, mut before: Vec<State>) -> Vec<State> {
        let others = self.entries.iter().filter(|entry| entry.in_flight && entry.cpu != cpu);
        close(&mut before, &others);
        before
    }

    /// What may move here by the change of this CPU.
    pub(super) fn received(&self, cpu: usize) -> &[State] {
        self.own(cpu).map_or(&[], |entry| &entry.received)
    }

    fn own(&self, cpu: usize) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.in_flight && entry.cpu == cpu)
    }

    /// These states may move here by the change of this CPU. Returns whether one of them is new.
    pub(super) fn receive(&mut self, cpu: usize, states: &[State]) -> bool {
        let own = self.entries.iter_mut().find(|entry| entry.in_flight && entry.cpu == cpu);
        let own = own.expect("what receives has begun");
        let before = own.received.len();
        for state in states {
            insert(&mut own.received, *state);
        }
        let grew = own.received.len() > before;
        if grew {
            let in_flight = self.entries.iter().filter(|entry| entry.in_flight);
            close(&mut self.tables, &in_flight);
            close(&mut self.usable, &in_flight);
        }
        grew
    }

    /// The change ends that began on this CPU. It took effect, or perhaps did not.
    pub(super) fn end(&mut self, cpu: usize, part: &mut Part, happened: bool) {
        let Some(change) = part.change else { return };
        if happened {
            self.narrow(cpu, change, part);
        }
        self.forget(cpu);
        let hides = |other: Change| {
            other.may_hide_from(change) && self.usable.iter().any(|state| !other.leaves(*state))
        };
        if !self.in_flight().any(hides) {
            self.usable.clone_from(&self.tables);
        }
    }

    /// Leaves of the tables what the change that ends on this CPU leaves of them.
    fn narrow(&mut self, cpu: usize, change: Change, part: &mut Part) {
        let overlapping = self.entries.iter().filter(|entry| entry.overlapped >> cpu & 1 != 0);
        let mut but_copies = overlapping.clone().filter(|other| !other.change.is_copy());
        let collected = &mut part.collected;
        if change.is_copy()
            && but_copies.any(|other| collected.iter().any(|state| !other.change.leaves(*state)))
        {
            return;
        }
        // The states that remain, in the place of those that were collected.
        if change == Change::Receives {
            collected.clear();
            collected.extend_from_slice(self.received(cpu));
        } else {
            for state in collected.iter_mut() {
                *state = change.result(*state);
            }
        }
        close(collected, &overlapping);
        self.tables.retain(|state| collected.contains(state));
        let first = collected.first();
        let settles = match change {
            Change::Becomes(_) => !part.void,
            Change::Receives => part.calm && !part.void,
            Change::Protect { .. } | Change::Renew { .. } | Change::Copy | Change::ForcedCopy => part.calm,
        };
        if settles && collected.iter().all(|state| Some(state) == first) {
            self.settled = true;
        }
    }

    /// The change of this CPU is over; those that overlap no change in flight any more are forgotten.
    fn forget(&mut self, cpu: usize) {
        for entry in &mut self.entries {
            entry.overlapped &= !(1 << cpu);
            entry.in_flight &= entry.cpu != cpu;
        }
        self.entries.retain(|entry| entry.in_flight || entry.overlapped != 0);
    }
}

fn insert(set: &mut Vec<State>, state: State) {
    if !set.contains(&state) {
        set.push(state);
    }
}

/// Adds all that the changes can make of the set, in whichever order.
fn close<'e>(set: &mut Vec<State>, entries: &(impl Iterator<Item = &'e Entry> + Clone)) {
    entries.clone().flat_map(|entry| &entry.received).for_each(|state| insert(set, *state));
    let mut n = 0;
    while n < set.len() {
        for entry in entries.clone() {
            entry.change.effects(set[n]).into_iter().for_each(|state| insert(set, state));
        }
        n += 1;
    }
}
