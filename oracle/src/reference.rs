//! The reference of one backend: the harness tells it what begins and what ends, and it says whether each outcome is legal.
//!
//! It checks and never predicts. It holds no page tables, no TLB, no locks and no frames, and does not know which hole a
//! kernel picks. Operations begin, overlap and end in this file. `things` says what callers hold, by the modes in the rows
//! of the operations. `judgement` and `answers` say which answers are legal, and `effects` says what pages hold. For user memory
//! `user_memory` says what a page may lead to, `user` joins that with what words hold, and `user_answers` judges.
//!
//! # Why it never raises a false alarm
//!
//! Suppose that every operation of a correct kernel takes effect at one moment between its begin and its end: a write when
//! its store becomes visible, at the latest at its return. Suppose that a read finds what the word holds at one such
//! moment. The reference keeps a set for each word. The set always contains what the word really holds:
//!
//! - *A write begins*: its token may be there from now on, and joins the set.
//! - *A write ends*: it took effect at some moment since it began. The word holds its token, or the token of a write that
//!   took effect later. That later write had begun, and had not ended before this one began: it overlapped this one. So
//!   only this token and those of overlapping writes can remain; the reference cuts the set down to them.
//! - *A read ends, and no write was in flight at any moment of it*: the word did not change since the read began, so it
//!   still holds what the read found; the set becomes that.
//! - *Allocation, `unmake-table`, `unpin-tree`, `dma-alloc` and `dma-free`* leave zero, and no CPU accesses the page
//!   meanwhile. A `make-table`, `pin-tree` or `dma-alloc` that failed may have zeroed the page already: zero joins the set.
//! - *A device* reads and writes the word as a CPU does, at one moment.
//! - *A store in user mode* is a write like any other: it must have left the store buffer before its end is told.
//!
//! A read may return any token that was in the set at its begin or joined it before its end: these contain what the word
//! held at any moment in between. A read that met no write finds a word that did not change, so the set at its end holds
//! for it too.
//!
//! ```text
//!     c0 write a0+0 = 1            c1 write a1+0 = 2 (the same page)         the set
//!     begins                                                                 0 1
//!                                  begins                                    0 1 2
//!                                  ends                                      1 2
//!                                  read a1+0: 1 or 2, and narrows nothing
//!     ends                                                                   1 2
//!                                  read a1+0: finds 1                        1
//! ```
//!
//! A begin told too early and an end told too late only make intervals longer and sets larger. The opposite is not safe:
//! the harness must tell a begin before the operation's first effect, and an end after its last.
//!
//! # Why backends can be compared
//!
//! What one backend was seen to hold after a race binds no other backend. A word is *forced* when the write that the story
//! told last to its page was performed here and overlapped no other write. Every backend of which that is true holds the
//! same token, because operations begin in told order on all of them. Three things never force a word: a race, a write that
//! was void here, and what a read taught about either.

mod accesses;
mod answers;
mod effects;
mod judgement;
mod user;
mod user_answers;

pub use user::UserPageView;

use crate::contents::{CPUS, Contents, Home};
use crate::mappings::Mappings;
use crate::things::Things;
use crate::user_memory::UserMemory;
use crate::verdict::{Illegal, Verdict};
use crate::vocabulary::{
    AreaSlot, Call, Mapping, Operation, Outcome, PageList, PageSlot, Range, SLOTS, Sort, Token,
};

/// What runs on a CPU.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    call: Option<Call>,
    /// This backend never gave a handle that the operation needs.
    void: bool,
    /// Another operation was in flight at some moment since it began.
    overlapped: bool,
    /// It must find room if nothing is in the way and nothing overlaps.
    finds_room: bool,
    /// For an access: what its mapping may have allowed at some moment since it began, a bit for each
    /// [`Access`](crate::vocabulary::Access).
    allowed: u8,
    serial: u32,
}

/// An operation that began and that the harness has to end.
#[must_use = "an operation that is never ended overlaps everything that follows"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    cpu: u8,
    serial: u32,
}

impl Ticket {
    /// The CPU that runs it.
    pub const fn cpu(self) -> u8 {
        self.cpu
    }
}

/// A mapping that stands and that no caller has begun to unmap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveMapping {
    /// Its handle.
    pub mapping: Mapping,
    /// Where the backend put it.
    pub range: Range,
    /// What it maps.
    pub pages: PageList,
}

/// The reference of one backend.
#[derive(Debug)]
pub struct Reference {
    things: Things,
    mappings: Mappings,
    contents: Contents,
    user: UserMemory,
    flights: [Flight; CPUS],
    in_flight: u8,
    serial: u32,
    history: judgement::History,
    /// The page numbers from which the kernel takes areas; none where that is not known.
    room: core::ops::Range<u64>,
}

impl Reference {
    /// CPUs that it keeps apart.
    pub const CPUS: usize = CPUS;

    /// The device, in the place of a CPU; its accesses begin and end at once.
    pub const DEVICE: u8 = CPUS as u8 - 1;

    /// The state when a story begins: the callers hold this many zeroed pages, from slot 0 on, and nothing else.
    pub fn new(initial_pages: u8) -> Self {
        assert!(initial_pages <= SLOTS, "there are {SLOTS} page slots, and not {initial_pages}");
        let mut reference = Self {
            things: Things::with_pages(0),
            mappings: Mappings::new(),
            contents: Contents::default(),
            user: UserMemory::default(),
            flights: [Flight::default(); CPUS],
            in_flight: 0,
            serial: 0,
            history: judgement::History::default(),
            room: 0..0,
        };
        reference.reset(initial_pages, 0..0);
        reference
    }

    /// Goes back to the state that [`Self::new`] makes, and keeps the memory. Older tickets are invalid from then on.
    ///
    /// The kernel takes areas from these page numbers and from no others: where they hold enough of them side by side, an area
    /// must be made. Nothing is known of a kernel that names none.
    pub fn reset(&mut self, initial_pages: u8, room: core::ops::Range<u64>) {
        assert!(initial_pages <= SLOTS, "there are {SLOTS} page slots, and not {initial_pages}");
        self.things = Things::with_pages(initial_pages);
        self.mappings = Mappings::new();
        self.contents.clear();
        self.user.clear();
        self.flights = [Flight::default(); CPUS];
        self.history = judgement::History::default();
        self.in_flight = 0;
        self.room = room;
        for number in 0..initial_pages {
            self.contents.zero(PageSlot::new(number));
        }
    }

    /// Whether this backend never gave a handle that the operation needs. Then [`Outcome::Void`] is the only legal outcome,
    /// and the kernel need not be asked.
    pub fn is_void(&self, operation: &Operation) -> bool {
        self.things.lack(operation)
    }

    /// Begins an operation on a CPU. The harness calls this before the operation's first effect.
    ///
    /// # Panics
    /// If the call breaks the caller's side of the contract: the CPU still runs an operation, or a handle is absent or
    /// busy. Resolution keeps stories from that; it is a defect of the harness.
    pub fn begin(&mut self, cpu: u8, call: &Call) -> Ticket {
        let seat = usize::from(cpu);
        assert!(seat < CPUS, "there are {CPUS} CPUs, and no c{cpu}");
        assert!(self.flights[seat].call.is_none(), "c{cpu} begins `{call}` within another operation");
        let void = self.is_void(&call.operation);
        self.things.begin(&call.operation);
        self.begin_effect(seat, &call.operation, void);
        let allowed =
            effects::accessed(&call.operation).map_or(0, |place| self.mappings.get(place.mapping).allowed);
        let overlapped = self.in_flight > 0;
        if overlapped {
            self.flights
                .iter_mut()
                .filter(|other| other.call.is_some())
                .for_each(|other| other.overlapped = true);
        }
        self.in_flight += 1;
        self.serial = self.serial.wrapping_add(1);
        let (finds_room, serial) = (self.finds_room(call), self.serial);
        self.flights[seat] = Flight { call: Some(*call), void, overlapped, finds_room, allowed, serial };
        self.history.take_note(&call.operation);
        Ticket { cpu, serial: self.serial }
    }

    /// Ends an operation with this outcome, after its last effect. The answer is meaningless after the first illegal
    /// outcome of a story.
    ///
    /// # Panics
    /// If the ticket is not that of the operation in flight on its CPU.
    pub fn end(&mut self, ticket: Ticket, outcome: &Outcome) -> Result<Verdict, Illegal> {
        let seat = usize::from(ticket.cpu);
        let flight = self.flights[seat];
        let call = match flight.call {
            Some(call) if flight.serial == ticket.serial => call,
            _ => panic!("c{} ends an operation that is not in flight", ticket.cpu),
        };
        let judgement = self.judge(seat, &flight, &call, *outcome);
        self.end_effect(seat, &flight, &call.operation, *outcome);
        self.things.end(&call.operation, outcome.gives());
        self.flights[seat].call = None;
        self.in_flight -= 1;
        match judgement {
            Ok(only) => Ok(Verdict { outcome: *outcome, sole: only && !flight.overlapped }),
            Err((kind, expected)) => {
                Err(Illegal { cpu: ticket.cpu, call, answered: *outcome, kind, expected })
            }
        }
    }

    /// Every token that the page may hold now, in ascending order; none if it is not there or is a table.
    pub fn possible(&self, page: PageSlot) -> &[Token] {
        self.contents.possible(page)
    }

    /// The token that the page must hold on every backend that names one for it (rule 2); see the head of the file. It is
    /// not enough that [`Self::possible`] has one element: after a race two backends may each hold one known token, and not
    /// the same.
    pub fn forced(&self, page: PageSlot) -> Option<Token> {
        self.contents.forced(page)
    }

    /// As [`Self::possible`], for a page that an area owns.
    pub fn possible_in(&self, area: AreaSlot, page: u8) -> &[Token] {
        self.contents.possible(Home::owned(area, page))
    }

    /// As [`Self::forced`], for a page that an area owns.
    pub fn forced_in(&self, area: AreaSlot, page: u8) -> Option<Token> {
        self.contents.forced(Home::owned(area, page))
    }

    /// The mappings that stand on this backend and that no caller has begun to unmap: areas first, by their slots.
    pub fn live_mappings(&self) -> impl Iterator<Item = LiveMapping> {
        self.mappings.live(&self.things).map(|(mapping, range, pages)| LiveMapping { mapping, range, pages })
    }

    /// The pages that callers hold on this backend, tables among them, by their slots.
    pub fn live_pages(&self) -> impl Iterator<Item = PageSlot> {
        let live = self.things.all(Sort::Page).filter(|(_, thing)| thing.is_live());
        live.map(|(slot, _)| PageSlot::new(slot))
    }

    /// The pages that have the role of a table on this backend, by their slots.
    pub fn live_tables(&self) -> impl Iterator<Item = PageSlot> {
        let tables = self.things.all(Sort::Page).filter(|(_, thing)| thing.is_table());
        tables.map(|(slot, _)| PageSlot::new(slot))
    }
}
