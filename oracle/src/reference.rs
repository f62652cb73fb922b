//! The reference: told what begins and what ends on one backend, it says whether the outcome is legal.
//!
//! It checks and never predicts: it holds no page tables, no TLB, no locks and no frames, and does not know which
//! hole a kernel picks.
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

use crate::contents::{CPUS, Contents, Home};
use crate::handle::Handle;
use crate::mappings::{Mappings, Misfit, bit};
use crate::spaces::Spaces;
use crate::verdict::{Illegal, Kind, Verdict};
use crate::vocabulary::astray::RawCall;
use crate::vocabulary::{
    Access, AreaSlot, BufferSlot, Call, Mapping, MmCall, Operation, Outcome, Owned, PageList, PageSlot,
    Place, Range, SLOTS, Token, TreeSlot,
};

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
    /// It finds room, if nothing is mapped and nothing overlaps.
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
}

/// An outcome judged: whether it was the only legal one, or what is wrong and what was expected.
type Judgement = Result<bool, (Kind, String)>;

/// The place in a mapping that a device reaches by its bus address.
const fn place_in(buffer: BufferSlot, page: u8) -> Place {
    Place { mapping: Mapping::Buffer(buffer), page }
}

/// The mapping that an operation on an area that owns its pages is about.
fn subject(owned: Owned) -> Mapping {
    match owned {
        Owned::Vmalloc { area, .. }
        | Owned::SetMemory { area, .. }
        | Owned::SetMemoryType { area, .. }
        | Owned::Vfree { area } => Mapping::Area(area),
        Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
            place.mapping
        }
    }
}

/// Where an operation accesses a page.
fn accessed(operation: &Operation) -> Option<Place> {
    match operation {
        Operation::Read { place } | Operation::Write { place, .. } => Some(*place),
        Operation::Owned(owned) => owned.place(),
        _ => None,
    }
}

/// Whether an operation leaves all memory but that of areas where it is.
fn touches_no_memory(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Vmap { .. }
            | Operation::Vunmap { .. }
            | Operation::MapRam { .. }
            | Operation::UnmapRam { .. }
            | Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::DrainAliases
            | Operation::Owned(_)
    )
}

/// A write or an instruction fetch, while its mapping may have allowed these accesses: legal if one of them says so.
/// Where a change of permissions overlaps it, it may go through or fault.
///
/// One that faults although it is allowed may do so once for each CPU, page and widening, if the next try succeeds:
/// kernels make that try themselves, so that what is judged here is the last one.
fn judge_permission(allowed: u8, operation: &Operation, faulted: bool) -> Judgement {
    let executes = matches!(operation, Operation::Owned(Owned::Exec { .. }));
    let permits = |access: &Access| if executes { access.executes() } else { access.writes() };
    let (may, must) = Access::ALL
        .iter()
        .filter(|access| allowed & bit(**access) != 0)
        .fold((false, true), |(may, must), access| (may || permits(access), must && permits(access)));
    match faulted {
        true if must => Err((Kind::Faulted, "that the mapping is there, and permits it".to_owned())),
        false if !may => Err((Kind::Permitted, "a fault".to_owned())),
        _ => Ok(may == must),
    }
}

/// So many pages an area that owns its pages is sure of, where no other has any.
const SURE: u8 = 4;

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
        };
        reference.reset(initial_pages);
        reference
    }

    /// Back to the state that [`Self::new`] makes, without giving memory back. Tickets of before are worthless.
    pub fn reset(&mut self, initial_pages: u8) {
        assert!(initial_pages <= SLOTS, "there are {SLOTS} page slots, and not {initial_pages}");
        self.pages = [Page::default(); SLOTS as usize];
        self.trees = Tree::none();
        self.spaces = Spaces::default();
        self.mappings = Mappings::new();
        self.contents.clear();
        self.flights = [Flight::default(); CPUS];
        (self.untouched, self.first_ram) = (true, true);
        self.in_flight = 0;
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

    /// Whether an operation must find room where nothing is mapped and nothing overlaps. What devices reach is little: a
    /// buffer is sure of one page, where memory is untouched and everything may be waited for. Nor is an area with many
    /// pages of its own sure of them, nor anything while address spaces take memory for their tables.
    fn finds_room(&self, call: &Call) -> bool {
        if self.spaces.are_held() {
            return false;
        }
        match call.operation {
            Operation::Vmap { .. } => true,
            Operation::Owned(Owned::Vmalloc { count, .. }) => count <= SURE,
            Operation::MapRam { .. } => self.first_ram,
            Operation::DmaAlloc { pages, .. } => self.untouched && !call.irqs_off && pages.len() == 1,
            _ => false,
        }
    }

    /// What the begin of an operation does to its operands.
    fn take_operands(&mut self, cpu: usize, operation: &Operation, void: bool) {
        match *operation {
            Operation::AllocPage { page } => self.pages[page.index()].handle.come(page),
            Operation::FreePage { page } => {
                self.must_be_idle(page);
                self.pages[page.index()].handle.go(page);
            }
            Operation::Vmap { pages, area } => self.begin_map(Mapping::Area(area), pages),
            Operation::MapRam { pages, ram } => self.begin_map(Mapping::Ram(ram), pages),
            Operation::Vunmap { area } => self.begin_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.begin_unmap(Mapping::Ram(ram)),
            Operation::DrainAliases | Operation::TrackAliases => {}
            Operation::SetPageFlag { page } => {
                let state = &mut self.pages[page.index()];
                state.handle.must_be_present(page);
                assert!(!state.table.is_held(), "the story sets a flag of {page}, which is a table");
                state.flagging += 1;
            }
            Operation::PinTree { pages, tree } => self.begin_tree(tree, pages),
            Operation::UnpinTree { tree } => {
                let Tree { handle, pages } = &mut self.trees[tree.index()];
                handle.go(tree);
                for &page in pages.as_slice() {
                    self.pages[page.index()].table.go(format_args!("{page} as a table"));
                    if void {
                        self.contents.skip(page);
                    }
                }
            }
            Operation::Read { place } => self.begin_read(cpu, place, void),
            Operation::Write { place, token } => self.begin_write(cpu, place, token, void),
            Operation::DmaAlloc { pages, buffer } => {
                pages.as_slice().iter().for_each(|page| self.must_be_idle(*page));
                self.begin_map(Mapping::Buffer(buffer), pages);
                if void {
                    self.skip_all(&pages);
                }
            }
            Operation::DmaFree { buffer } => {
                self.begin_unmap(Mapping::Buffer(buffer));
                let pages = self.mappings.get(Mapping::Buffer(buffer)).pages;
                if void {
                    self.skip_all(&pages);
                } else {
                    let only = |page: &PageSlot| self.pages[page.index()].users == 1;
                    assert!(pages.as_slice().iter().all(only), "the story frees {buffer}, mapped elsewhere");
                }
            }
            Operation::DeviceRead { buffer, page } => self.begin_read(cpu, place_in(buffer, page), void),
            Operation::DeviceWrite { buffer, page, token } => {
                self.begin_write(cpu, place_in(buffer, page), token, void);
            }
            Operation::MakeTable { page } => {
                self.must_be_idle(page);
                let state = &mut self.pages[page.index()];
                state.handle.must_be_present(page);
                state.table.come(format_args!("{page} as a table"));
            }
            Operation::UnmakeTable { page } => {
                self.pages[page.index()].table.go(format_args!("{page} as a table"));
                if void {
                    self.contents.skip(page);
                }
            }
            // What it holds from now on is nobody's concern.
            Operation::Raw(call) => {
                for page in call.pages() {
                    self.must_be_idle(page);
                    self.pages[page.index()].handle.must_be_present(page);
                    self.contents.vanish(page);
                }
            }
            Operation::Owned(owned) => self.take_owned(cpu, owned, void),
            Operation::Mm(call) => self.spaces.begin(call),
        }
    }

    fn take_owned(&mut self, cpu: usize, owned: Owned, void: bool) {
        match owned {
            Owned::Vmalloc { count, area, .. } => {
                assert!(count > 0, "the story maps no pages into {area}");
                let entry = self.mappings.get_mut(Mapping::Area(area));
                entry.handle.come(area);
                (entry.pages, entry.owned) = (PageList::new([]), count);
                entry.allowed = bit(Access::ReadWrite);
            }
            Owned::SetMemory { area, access } => {
                let mapping = Mapping::Area(area);
                let entry = self.mappings.get_mut(mapping);
                entry.handle.must_be_present(area);
                assert!(entry.owned > 0, "the story changes the permissions of {area}, which owns no pages");
                // Whoever accesses it meanwhile may meet either.
                entry.allowed |= bit(access);
                entry.accesses += 1;
                for flight in &mut self.flights {
                    if flight
                        .call
                        .and_then(|call| accessed(&call.operation))
                        .is_some_and(|at| at.mapping == mapping)
                    {
                        flight.allowed |= bit(access);
                    }
                }
            }
            Owned::SetMemoryType { area, .. } => {
                let entry = self.mappings.get_mut(Mapping::Area(area));
                entry.handle.must_be_present(area);
                assert!(entry.owned > 0, "the story changes the memory type of {area}, which owns no pages");
                entry.accesses += 1;
            }
            Owned::Vfree { area } => {
                assert!(
                    self.mappings.get(Mapping::Area(area)).owned > 0,
                    "the story frees {area}, which owns no pages"
                );
                self.begin_unmap(Mapping::Area(area));
            }
            Owned::Exec { place } => drop(self.begin_access(place)),
            Owned::ReadDirect { place } => self.begin_read(cpu, place, void),
            Owned::WriteDirect { place, token } => self.begin_write(cpu, place, token, void),
        }
    }

    fn begin_tree(&mut self, tree: TreeSlot, pages: PageList) {
        assert!(!pages.is_empty(), "the story makes {tree} of no pages");
        let entry = &mut self.trees[tree.index()];
        entry.handle.come(tree);
        entry.pages = pages;
        for &page in pages.as_slice() {
            self.must_be_idle(page);
            let state = &mut self.pages[page.index()];
            state.handle.must_be_present(page);
            state.table.come(format_args!("{page} as a table"));
        }
    }

    fn must_be_idle(&self, page: PageSlot) {
        let state = &self.pages[page.index()];
        assert!(state.flagging == 0, "the story takes {page} away, whose flags its owner is changing");
        assert!(state.users == 0, "the story takes {page} away, which is mapped");
        assert!(!state.table.is_held(), "the story takes {page} away, which is a table");
    }

    fn begin_map(&mut self, mapping: Mapping, pages: PageList) {
        assert!(!pages.is_empty(), "the story maps no pages into {mapping}");
        for &page in pages.as_slice() {
            let state = &mut self.pages[page.index()];
            state.handle.must_be_present(page);
            assert!(!state.table.is_held(), "the story maps {page}, which is a table");
            state.users += 1;
        }
        let entry = self.mappings.get_mut(mapping);
        entry.handle.come(mapping);
        (entry.pages, entry.owned, entry.allowed) = (pages, 0, bit(Access::ReadWrite));
    }

    fn begin_unmap(&mut self, mapping: Mapping) {
        let entry = self.mappings.get_mut(mapping);
        assert!(entry.accesses == 0, "the story unmaps {mapping} during an access to it");
        entry.handle.go(mapping);
    }

    fn begin_read(&mut self, cpu: usize, place: Place, void: bool) {
        let page = self.begin_access(place);
        if !void {
            self.contents.begin_read(cpu, page);
        }
    }

    fn begin_write(&mut self, cpu: usize, place: Place, token: Token, void: bool) {
        let page = self.begin_access(place);
        if void {
            self.contents.skip(page);
        } else {
            self.contents.begin_write(cpu, page, token);
        }
    }

    fn skip_all(&mut self, pages: &PageList) {
        pages.as_slice().iter().for_each(|page| self.contents.skip(*page));
    }

    /// The page that is accessed.
    fn begin_access(&mut self, place: Place) -> Home {
        let entry = self.mappings.get_mut(place.mapping);
        entry.handle.must_be_present(place);
        entry.accesses += 1;
        if let Mapping::Area(area) = place.mapping
            && place.page < entry.owned
        {
            return Home::owned(area, place.page);
        }
        let page = entry.pages.as_slice().get(usize::from(place.page));
        (*page.unwrap_or_else(|| panic!("the story accesses {place}, behind the end of the mapping"))).into()
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

    fn judge(&mut self, cpu: usize, flight: &Flight, call: &Call, outcome: Outcome) -> Judgement {
        let no = |kind, expected: &str| Err((kind, expected.to_owned()));
        let must_sleep = call.irqs_off && call.operation == Operation::DrainAliases;
        // Whether it has to drain is the kernel's affair; if it has, it cannot with interrupts off.
        let may_sleep = call.irqs_off
            && matches!(call.operation, Operation::MakeTable { .. } | Operation::PinTree { .. });
        match (call.operation, outcome) {
            // Whatever became of it: what must hold all the same is not to be seen in the answer.
            (Operation::Raw(_), Outcome::Done | Outcome::Refused)
            | (Operation::Raw(RawCall::Write { .. }), Outcome::Fault)
            | (Operation::Raw(RawCall::Exchange { .. }), Outcome::NoMemory)
                if !flight.void =>
            {
                Ok(false)
            }
            (_, Outcome::Refused) => no(Kind::Refused, "that nothing is refused"),
            (_, Outcome::Void) if flight.void => Ok(false),
            (_, _) if flight.void => no(Kind::Phantom, "void: what it needs was never obtained"),
            (_, Outcome::Void) => no(Kind::NotAttempted, "an attempt: it has all that it needs"),
            (_, Outcome::WouldSleep) if must_sleep => Ok(true),
            (_, _) if must_sleep => no(Kind::WaitedWithIrqsOff, "would-sleep"),
            (Operation::DmaAlloc { .. }, Outcome::WouldSleep) if call.irqs_off => Ok(false),
            (_, Outcome::WouldSleep) if may_sleep => Ok(false),
            (_, Outcome::WouldSleep) => no(Kind::WouldSleep, "that it sleeps if it must"),
            (Operation::Vmap { pages, area }, Outcome::Mapped(range)) => {
                self.judge_range(Mapping::Area(area), range, pages.len())
            }
            (Operation::MapRam { pages, ram }, Outcome::Mapped(range)) => {
                self.judge_range(Mapping::Ram(ram), range, pages.len())
            }
            (Operation::Owned(Owned::Vmalloc { count, area, .. }), Outcome::Mapped(range)) => {
                self.judge_range(Mapping::Area(area), range, usize::from(count))
            }
            (Operation::DmaAlloc { pages, buffer }, Outcome::Buffer(made)) => {
                self.judge_range(Mapping::Buffer(buffer), made.range, pages.len())
            }
            (_, Outcome::NoMemory)
                if !flight.overlapped && flight.finds_room && self.mappings.live().next().is_none() =>
            {
                no(Kind::NoRoom, "a range: nothing else is mapped")
            }
            (
                Operation::Read { .. }
                | Operation::DeviceRead { .. }
                | Operation::Owned(Owned::ReadDirect { .. }),
                Outcome::Value(token),
            ) => self.judge_read(cpu, token),
            (
                Operation::Write { .. } | Operation::Owned(Owned::WriteDirect { .. } | Owned::Exec { .. }),
                Outcome::Done | Outcome::Fault,
            ) => judge_permission(flight.allowed, &call.operation, outcome == Outcome::Fault),
            (Operation::Read { .. } | Operation::Owned(Owned::ReadDirect { .. }), Outcome::Fault) => {
                no(Kind::Faulted, "that the mapping is there")
            }
            (
                Operation::FreePage { .. }
                | Operation::Vunmap { .. }
                | Operation::UnmapRam { .. }
                | Operation::DrainAliases
                | Operation::UnmakeTable { .. }
                | Operation::DmaFree { .. }
                | Operation::DeviceWrite { .. }
                | Operation::SetPageFlag { .. }
                | Operation::UnpinTree { .. }
                | Operation::TrackAliases
                | Operation::Owned(Owned::SetMemory { .. } | Owned::SetMemoryType { .. } | Owned::Vfree { .. })
                | Operation::Mm(MmCall::Switch { .. } | MmCall::Drop { .. }),
                Outcome::Done,
            ) => Ok(true),
            (Operation::PinTree { .. }, Outcome::Done) => Ok(!may_sleep),
            (
                Operation::AllocPage { .. } | Operation::MakeTable { .. } | Operation::Mm(MmCall::New { .. }),
                Outcome::Done,
            )
            | (
                Operation::AllocPage { .. }
                | Operation::MakeTable { .. }
                | Operation::Vmap { .. }
                | Operation::MapRam { .. }
                | Operation::DmaAlloc { .. }
                | Operation::Owned(Owned::Vmalloc { .. })
                | Operation::Mm(MmCall::New { .. }),
                Outcome::NoMemory,
            ) => Ok(false),
            (_, Outcome::NoMemory) => no(Kind::NoMemory, "that it needs no memory"),
            (
                _,
                Outcome::Done | Outcome::Mapped(_) | Outcome::Buffer(_) | Outcome::Value(_) | Outcome::Fault,
            ) => no(Kind::WrongForm, "an answer to what was asked"),
        }
    }

    fn judge_range(&self, made: Mapping, range: Range, pages: usize) -> Judgement {
        match self.mappings.fit(made, range, pages) {
            Ok(()) => Ok(false),
            Err(Misfit::Length) => Err((Kind::WrongLength, format!("{pages} pages"))),
            Err(Misfit::Place) => Err((Kind::Misplaced, "an aligned and canonical range".to_owned())),
            Err(Misfit::Overlaps(other, its)) => {
                Err((Kind::Overlap, format!("a range apart from {other}, which lies at {its}")))
            }
            Err(Misfit::Unguarded(other, its)) => {
                Err((Kind::Unguarded, format!("a page between it and {other}, which lies at {its}")))
            }
        }
    }

    fn judge_read(&mut self, cpu: usize, found: Token) -> Judgement {
        let (readable, forced) = self.contents.readable(cpu);
        if !readable.contains(found) {
            return Err((Kind::NeverPossible, format!("{readable}")));
        }
        self.contents.learn(cpu, found);
        Ok(forced)
    }

    /// What the end of an operation does to its operands.
    fn release_operands(&mut self, cpu: usize, flight: &Flight, operation: &Operation, outcome: Outcome) {
        match *operation {
            Operation::AllocPage { page } => {
                let obtained = outcome == Outcome::Done;
                self.pages[page.index()].handle.arrive(obtained);
                if obtained {
                    self.contents.zero(page);
                }
            }
            Operation::FreePage { page } => {
                self.pages[page.index()] = Page::default();
                self.contents.vanish(page);
            }
            Operation::Vmap { area, .. } => self.end_map(Mapping::Area(area), outcome),
            Operation::MapRam { ram, .. } => self.end_map(Mapping::Ram(ram), outcome),
            Operation::Vunmap { area } => self.end_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.end_unmap(Mapping::Ram(ram)),
            Operation::DrainAliases | Operation::TrackAliases | Operation::Raw(_) => {}
            Operation::SetPageFlag { page } => self.pages[page.index()].flagging -= 1,
            Operation::PinTree { pages, tree } => {
                let obtained = outcome == Outcome::Done;
                self.trees[tree.index()].handle.arrive(obtained);
                for &page in pages.as_slice() {
                    self.end_table(page, obtained, flight.void);
                }
            }
            Operation::UnpinTree { tree } => {
                let Tree { pages, .. } = core::mem::replace(&mut self.trees[tree.index()], Tree::NONE);
                for &page in pages.as_slice() {
                    self.end_unmake(page, flight.void);
                }
            }
            Operation::Read { place } => self.end_read(cpu, flight, place.mapping),
            Operation::Write { place, .. } => self.end_write(cpu, flight, place.mapping, outcome),
            Operation::DeviceRead { buffer, .. } => self.end_read(cpu, flight, Mapping::Buffer(buffer)),
            Operation::DeviceWrite { buffer, .. } => {
                self.end_write(cpu, flight, Mapping::Buffer(buffer), outcome);
            }
            Operation::DmaAlloc { pages, buffer } => {
                self.end_map(Mapping::Buffer(buffer), outcome);
                for &page in pages.as_slice() {
                    if matches!(outcome, Outcome::Buffer(_)) {
                        self.contents.zero(page);
                    } else if !flight.void {
                        self.contents.perhaps_zero(page);
                    }
                }
            }
            Operation::DmaFree { buffer } => {
                self.end_unmap(Mapping::Buffer(buffer));
                let pages = self.mappings.get(Mapping::Buffer(buffer)).pages;
                if !flight.void {
                    pages.as_slice().iter().for_each(|page| self.contents.zero(*page));
                }
            }
            Operation::MakeTable { page } => self.end_table(page, outcome == Outcome::Done, flight.void),
            Operation::UnmakeTable { page } => self.end_unmake(page, flight.void),
            Operation::Owned(owned) => self.release_owned(cpu, flight, owned, outcome),
            Operation::Mm(call) => self.spaces.end(call, outcome),
        }
    }

    /// A page was to become a table, and did or did not.
    fn end_table(&mut self, page: PageSlot, obtained: bool, void: bool) {
        self.pages[page.index()].table.arrive(obtained);
        if obtained {
            self.contents.vanish(page);
        } else if !void {
            self.contents.perhaps_zero(page);
        }
    }

    /// A table is an ordinary page again.
    fn end_unmake(&mut self, page: PageSlot, void: bool) {
        self.pages[page.index()].table = Handle::default();
        if !void {
            self.contents.zero(page);
        }
    }

    fn release_owned(&mut self, cpu: usize, flight: &Flight, owned: Owned, outcome: Outcome) {
        match owned {
            Owned::Vmalloc { count, area, .. } => {
                self.end_map(Mapping::Area(area), outcome);
                if matches!(outcome, Outcome::Mapped(_)) {
                    (0..count).for_each(|page| self.contents.zero(Home::owned(area, page)));
                }
            }
            Owned::SetMemory { area, access } => {
                let entry = self.mappings.get_mut(Mapping::Area(area));
                entry.accesses -= 1;
                entry.allowed = bit(access);
            }
            Owned::Vfree { area } => {
                let count = self.mappings.get(Mapping::Area(area)).owned;
                self.end_unmap(Mapping::Area(area));
                (0..count).for_each(|page| self.contents.vanish(Home::owned(area, page)));
            }
            Owned::SetMemoryType { area, .. } => self.mappings.get_mut(Mapping::Area(area)).accesses -= 1,
            Owned::Exec { place } => self.mappings.get_mut(place.mapping).accesses -= 1,
            Owned::ReadDirect { place } => self.end_read(cpu, flight, place.mapping),
            Owned::WriteDirect { place, .. } => self.end_write(cpu, flight, place.mapping, outcome),
        }
    }

    fn end_write(&mut self, cpu: usize, flight: &Flight, mapping: Mapping, outcome: Outcome) {
        self.mappings.get_mut(mapping).accesses -= 1;
        match outcome {
            _ if flight.void => {}
            Outcome::Fault => self.contents.abandon_write(cpu),
            _ => self.contents.end_write(cpu),
        }
    }

    fn end_read(&mut self, cpu: usize, flight: &Flight, mapping: Mapping) {
        self.mappings.get_mut(mapping).accesses -= 1;
        if !flight.void {
            self.contents.end_read(cpu);
        }
    }

    fn end_map(&mut self, mapping: Mapping, outcome: Outcome) {
        let entry = self.mappings.get_mut(mapping);
        if let Some(range) = outcome.range() {
            entry.handle.arrive(true);
            entry.range = range;
        } else {
            entry.handle.arrive(false);
            let pages = entry.pages;
            self.unuse(&pages);
        }
    }

    fn end_unmap(&mut self, mapping: Mapping) {
        let entry = self.mappings.get_mut(mapping);
        let (held, pages) = (entry.handle.is_obtained(), entry.pages);
        entry.handle = Handle::default();
        if held {
            self.unuse(&pages);
        }
    }

    fn unuse(&mut self, pages: &PageList) {
        for page in pages.as_slice() {
            self.pages[page.index()].users -= 1;
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
