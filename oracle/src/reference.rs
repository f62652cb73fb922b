//! The reference: told what begins and what ends on one backend, it says whether the outcome is legal.
//!
//! It checks and never predicts: it holds no page tables, no TLB, no locks and no frames, and does not know which
//! hole a kernel picks. Here operations begin, overlap and end; beneath, `judgement` says which answers are legal, and
//! `operands` what beginning and ending changes.
//!
//! # Why it never raises a false alarm
//!
//! Suppose that every operation of a correct kernel takes effect at one moment between its begin and its end (a
//! write when its store becomes visible, at the latest at its return), and that a read finds what the word holds at
//! such a moment. The reference keeps, for each word, a set that always contains what the word really holds:
//!
//! - *A write begins*: its token may be there from now on, and joins the set.
//! - *A write ends*: it took effect at some moment since it began. The word holds its token, or that of a write
//!   that took effect later. Such a write had not ended before this one began, and has begun: it overlapped this
//!   one. So only this token and those of overlapping writes can remain; the set is cut down to them.
//! - *A read ends, and no write was in flight at any moment of it*: the word did not change since it began, so it
//!   still holds what was found; the set becomes that.
//! - *Allocation, `unmake-table`, `unpin-tree`, `dma-alloc` and `dma-free`* leave zero, and nobody accesses the page
//!   meanwhile. A `make-table`, `pin-tree` or `dma-alloc` that failed may have zeroed it already: zero joins the set.
//! - *A device* reads and writes the word as a CPU does, at one moment.
//!
//! A read may return whatever was in the set at its begin or joined it before its end, which contains what the word
//! held at any moment in between. A read that met no write finds a word that did not change, and what the set has
//! become by its end holds for it too.
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
//! Begins told too early and ends told too late only make intervals longer and sets larger. The opposite is not
//! safe: a begin must be told before the operation's first effect, an end after its last.
//!
//! # Why backends can be compared
//!
//! What one backend was observed to hold after a race is its own affair. A word is *forced* when the write that the
//! story told last to its page was done here and overlapped no other write: then every backend on which that is so
//! too holds the same token, because operations begin in told order on all of them. A race, a write that was
//! void here, and what a read taught about either never force anything.

mod accesses;
mod judgement;
mod mapped;
mod operands;
mod owned;
mod pages;

use crate::contents::{CPUS, Contents, Home};
use crate::handle::Handle;
use crate::mappings::Mappings;
use crate::spaces::Spaces;
use crate::verdict::{Illegal, Verdict};
use crate::vocabulary::{
    AreaSlot, Call, Mapping, Operation, Outcome, Owned, PageList, PageSlot, Range, SLOTS, Token,
};
use accesses::accessed;
use judgement::touches_no_memory;
use owned::subject;

/// One page.
#[derive(Clone, Copy, Debug, Default)]
struct Page {
    handle: Handle,
    /// The role of a page table, while it has it.
    table: Handle,
    /// Mappings of it that are being made, stand, or are being unmapped.
    users: u8,
    /// Changes of its flags in flight.
    flagging: u8,
}

/// One tree of tables. Its pages are tables as long as its handle is held.
#[derive(Clone, Copy, Debug)]
struct Tree {
    handle: Handle,
    pages: PageList,
}

impl Tree {
    const NONE: Self = Self { handle: Handle::ABSENT, pages: PageList::EMPTY };

    const fn none() -> [Self; SLOTS as usize] {
        [Self::NONE; SLOTS as usize]
    }
}

/// What runs on a CPU.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    call: Option<Call>,
    /// A handle that it needs was never obtained on this backend.
    void: bool,
    /// Another operation was in flight at some moment since it began.
    overlapped: bool,
    /// It finds room, if nothing is in the way and nothing overlaps.
    finds_room: bool,
    /// Of an access: what its mapping may have allowed at some moment since it began, a bit for each [`Access`].
    allowed: u8,
    serial: u32,
}

/// An operation that began and has to be ended.
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

/// A mapping that stands, and that nobody began to unmap.
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
    pages: [Page; SLOTS as usize],
    trees: [Tree; SLOTS as usize],
    spaces: Spaces,
    mappings: Mappings,
    contents: Contents,
    flights: [Flight; CPUS],
    in_flight: u8,
    serial: u32,
    /// Nobody asked for a page, gave one up or made anything of one: whatever devices reach is there still.
    untouched: bool,
    /// `map-ram` was never asked for: blocks that others unmapped may lie so that a new one finds no room.
    first_ram: bool,
    /// The page numbers from which the kernel takes areas; none where that is not known.
    room: core::ops::Range<u64>,
}

impl Reference {
    /// CPUs that it keeps apart.
    pub const CPUS: usize = CPUS;

    /// In the place of a CPU: the device, whose accesses begin and end at once.
    pub const DEVICE: u8 = CPUS as u8 - 1;

    /// The state when a story begins: the callers hold this many zeroed pages, from slot 0 on, and nothing else.
    pub fn new(initial_pages: u8) -> Self {
        let mut reference = Self {
            pages: [Page::default(); SLOTS as usize],
            trees: Tree::none(),
            spaces: Spaces::default(),
            mappings: Mappings::new(),
            contents: Contents::default(),
            flights: [Flight::default(); CPUS],
            in_flight: 0,
            serial: 0,
            untouched: true,
            first_ram: true,
            room: 0..0,
        };
        reference.reset(initial_pages, 0..0);
        reference
    }

    /// Back to the state that [`Self::new`] makes, without giving memory back. Tickets of before are worthless.
    ///
    /// The kernel takes areas from these page numbers and from no others: where they hold enough of them side by side, an area
    /// must be made. Nothing is known of a kernel that names none.
    pub fn reset(&mut self, initial_pages: u8, room: core::ops::Range<u64>) {
        assert!(initial_pages <= SLOTS, "there are {SLOTS} page slots, and not {initial_pages}");
        self.pages = [Page::default(); SLOTS as usize];
        self.trees = Tree::none();
        self.spaces = Spaces::default();
        self.mappings = Mappings::new();
        self.contents.clear();
        self.flights = [Flight::default(); CPUS];
        (self.untouched, self.first_ram) = (true, true);
        self.in_flight = 0;
        self.room = room;
        for number in 0..initial_pages {
            let page = PageSlot::new(number);
            self.pages[page.index()].handle = Handle::held();
            self.contents.zero(page);
        }
    }

    /// Whether a handle that the operation needs was never obtained on this backend, so that the only legal outcome
    /// is [`Outcome::Void`] and the kernel need not be asked.
    pub fn is_void(&self, operation: &Operation) -> bool {
        match *operation {
            Operation::AllocPage { .. }
            | Operation::DrainAliases
            | Operation::TrackAliases
            | Operation::Owned(Owned::Vmalloc { .. }) => false,
            Operation::FreePage { page }
            | Operation::MakeTable { page }
            | Operation::SetPageFlag { page } => !self.pages[page.index()].handle.is_obtained(),
            Operation::UnmakeTable { page } => !self.pages[page.index()].table.is_obtained(),
            Operation::UnpinTree { tree } => !self.trees[tree.index()].handle.is_obtained(),
            Operation::Raw(call) => call.pages().any(|page| !self.pages[page.index()].handle.is_obtained()),
            Operation::Vmap { pages, .. }
            | Operation::MapRam { pages, .. }
            | Operation::PinTree { pages, .. }
            | Operation::DmaAlloc { pages, .. } => {
                pages.as_slice().iter().any(|page| !self.pages[page.index()].handle.is_obtained())
            }
            Operation::Vunmap { area } => !self.is_mapped(Mapping::Area(area)),
            Operation::UnmapRam { ram } => !self.is_mapped(Mapping::Ram(ram)),
            Operation::DmaFree { buffer }
            | Operation::DeviceRead { buffer, .. }
            | Operation::DeviceWrite { buffer, .. } => !self.is_mapped(Mapping::Buffer(buffer)),
            Operation::Read { place } | Operation::Write { place, .. } => !self.is_mapped(place.mapping),
            Operation::Owned(owned) => !self.is_mapped(subject(owned)),
            Operation::Mm(call) => self.spaces.lack(call),
        }
    }

    fn is_mapped(&self, mapping: Mapping) -> bool {
        self.mappings.get(mapping).handle.is_obtained()
    }

    /// An operation begins on a CPU, before its first effect.
    ///
    /// # Panics
    /// If the call breaks the caller's side of the contract: a CPU that still runs an operation, a handle that is
    /// absent or busy. Stories are resolved so that this never happens; it is a defect of the harness.
    pub fn begin(&mut self, cpu: u8, call: &Call) -> Ticket {
        let seat = usize::from(cpu);
        assert!(seat < CPUS, "there are {CPUS} CPUs, and no c{cpu}");
        assert!(self.flights[seat].call.is_none(), "c{cpu} begins `{call}` within another operation");
        let void = self.is_void(&call.operation);
        self.take_operands(seat, &call.operation, void);
        let allowed = accessed(&call.operation).map_or(0, |place| self.mappings.get(place.mapping).allowed);
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
        self.untouched &= touches_no_memory(&call.operation);
        self.first_ram &= !matches!(call.operation, Operation::MapRam { .. });
        Ticket { cpu, serial: self.serial }
    }

    /// An operation returned this, after its last effect. What it says after the first illegal outcome of a story
    /// is worth nothing.
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
        self.release_operands(seat, &flight, &call.operation, *outcome);
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

    /// The token that the page must hold on every backend which names one for it (rule 2); see the head of the
    /// file. That [`Self::possible`] has one element is not enough: after a race two backends may each be known to
    /// hold one token, and not the same.
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

    /// The mappings that stand on this backend and that nobody began to unmap: areas first, by their slots.
    pub fn live_mappings(&self) -> impl Iterator<Item = LiveMapping> {
        self.mappings.live().map(|(mapping, entry)| LiveMapping {
            mapping,
            range: entry.range,
            pages: entry.pages,
        })
    }

    /// The pages that callers hold on this backend, tables among them, by their slots.
    pub fn live_pages(&self) -> impl Iterator<Item = PageSlot> {
        (0..SLOTS).map(PageSlot::new).filter(|page| self.pages[page.index()].handle.is_live())
    }

    /// The pages that have the role of a table on this backend, by their slots.
    pub fn live_tables(&self) -> impl Iterator<Item = PageSlot> {
        (0..SLOTS).map(PageSlot::new).filter(|page| self.pages[page.index()].table.is_live())
    }
}
