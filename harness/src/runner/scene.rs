//! One backend while it plays a story: what runs on which CPU, what the reference says about it, and the checks at every
//! end. It hears of each operation at the moment it ends, be it told or helped along by another CPU.

use machine::{Bus, Frame, MAX_CPUS, Observer, Point};
use oracle::vocabulary::astray::{RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    Call, Device, MAX_PAGES, Mapping, Operation, Outcome, Owned, PageList, PageSlot, Range, SLOTS,
};
use oracle::{Reference, Rule, Ticket};

use impls::protocol::{Designs, KernelSync, TableDrain};
use impls::{Protocol, Sizes, Step};

use crate::checks::agreement::Ledger;
use crate::checks::aliases::{Aliases, Behind};
use crate::checks::loaded::LoadedMms;
use crate::checks::memory_types::MemoryTypes;
use crate::checks::other_domain::{self, OtherDomain};
use crate::checks::permissions::Promises;
use crate::checks::{
    Breach, Checks, acknowledged, buffers, drain, first_alarm, hypervisor, outcome, range_reuse,
};
use crate::coverage::Coverage;
use crate::headline::{About, Finding, Headline, words_only};
use crate::story::Backends;
use crate::subject::Subject;

use super::Made;
use super::panics::Panic;

/// What runs on a CPU.
#[derive(Clone, Copy, Debug)]
enum Seat {
    Idle,
    Call(Flight),
    Other(&'static str),
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    event: u16,
    call: Call,
    ticket: Ticket,
    /// When it began.
    began: u32,
    /// On which CPU.
    cpu: u8,
    /// The frames behind the pages of a mapping, or of a table, that is being made.
    frames: [Frame; MAX_PAGES],
    known: u8,
}

impl Flight {
    fn frames(&self) -> &[Frame] {
        &self.frames[..usize::from(self.known)]
    }

    /// What the outcome tells of the frames that it made a mapping of.
    fn hear(&mut self, bus: &Bus, root: Frame, outcome: Outcome) {
        match (self.call.operation, outcome) {
            // The driver was told where its device finds them.
            (_, Outcome::Buffer(made)) => {
                self.known = made.range.pages;
                self.frames.iter_mut().zip(made.bus()).for_each(|(frame, bus)| *frame = Frame(bus));
            }
            // Which they are nobody is told; they stand in the tables.
            (Operation::Owned(Owned::Vmalloc { .. }), Outcome::Mapped(range)) => {
                self.known = range.pages;
                range_reuse::frames_at(bus, root, range, &mut self.frames);
            }
            _ => {}
        }
    }

    /// Whether it may put frames to a new use, and map them: which those are nobody knows before they are there.
    fn maps_new(&self) -> bool {
        matches!(self.call.operation, Operation::DmaAlloc { .. } | Operation::Owned(Owned::Vmalloc { .. }))
    }

    /// Whether it may map this frame, which was there when it began.
    fn maps(&self, frame: Frame) -> bool {
        matches!(
            self.call.operation,
            Operation::Vmap { .. }
                | Operation::MapRam { .. }
                | Operation::DmaAlloc { .. }
                | Operation::UnmakeTable { .. }
                | Operation::UnpinTree { .. }
        ) && self.frames().contains(&frame)
    }
}

/// The scene of one story after the other.
#[derive(Debug)]
pub(super) struct Scene {
    checks: Checks,
    backend: Backends,
    name: &'static str,
    designs: Designs,
    no_alias: bool,
    /// The first frame that no narrow device reaches.
    device_limit: Option<u32>,
    /// The root that the CPUs begin on, under which the kernel's own tables are.
    boot_root: Frame,
    pub(super) reference: Reference,
    pub(super) ledger: Ledger,
    aliases: Aliases,
    other_domain: OtherDomain,
    /// The pages that a guest gone astray has, a bit for each slot.
    astray: u16,
    /// The pages of each tree, as it was last asked for.
    trees: [PageList; SLOTS as usize],
    promises: Promises,
    memory_types: MemoryTypes,
    loaded: LoadedMms,
    seats: [Seat; MAX_CPUS as usize],
    under_way: u8,
    /// Something else ran beside the call that began last.
    overlapped: bool,
    /// The event that is being told, and its name.
    event: Option<u16>,
    told: &'static str,
    /// How many points were passed before it.
    pub(super) steps_before: u32,
    /// A story that passes so many points is a livelock, even if the machine allows more.
    pub(super) most_steps: u32,
    pub(super) finding: Option<Finding>,
    pub(super) coverage: Coverage,
    pub(super) pauses: Vec<(u16, Point)>,
    pub(super) begins: Vec<usize>,
    /// Whether what happens is to be remembered for a report, by the machine too.
    pub(super) recording: bool,
    pub(super) made: Vec<Made>,
    pub(super) outcomes: Vec<(u16, Outcome)>,
    /// Where in the trace the tearing down begins.
    pub(super) teardown: Option<usize>,
}

impl Scene {
    pub(super) fn new(checks: Checks) -> Self {
        Self {
            checks,
            backend: Backends::empty(),
            name: "",
            designs: Designs::default(),
            no_alias: false,
            device_limit: None,
            boot_root: Frame(0),
            reference: Reference::new(Sizes::INITIAL_PAGES),
            ledger: Ledger::default(),
            aliases: Aliases::default(),
            other_domain: OtherDomain::default(),
            astray: 0,
            trees: [PageList::EMPTY; SLOTS as usize],
            promises: Promises::default(),
            memory_types: MemoryTypes::default(),
            loaded: LoadedMms::default(),
            seats: [Seat::Idle; MAX_CPUS as usize],
            under_way: 0,
            overlapped: false,
            event: None,
            told: "",
            steps_before: 0,
            most_steps: u32::MAX,
            finding: None,
            coverage: Coverage::default(),
            pauses: Vec::new(),
            begins: Vec::new(),
            recording: false,
            made: Vec::new(),
            outcomes: Vec::new(),
            teardown: None,
        }
    }

    pub(super) fn begin_story(&mut self, events: usize) {
        self.ledger.clear(events);
    }

    pub(super) fn enter(&mut self, backend: Backends, subject: &dyn Subject, protocol: &Protocol) {
        self.backend = backend;
        self.name = subject.name();
        self.designs = protocol.designs;
        self.no_alias = subject.tables_allow_no_alias();
        self.device_limit = subject.device_limit();
        self.boot_root = subject.bus().core(0).cr3().root;
        self.reference.reset(Sizes::INITIAL_PAGES, subject.room());
        self.aliases.clear();
        self.other_domain.clear();
        self.astray = 0;
        self.promises.clear();
        self.memory_types.clear();
        self.loaded.clear();
        self.seats = [Seat::Idle; MAX_CPUS as usize];
        self.under_way = 0;
        self.finding = None;
        self.pauses.clear();
        self.begins.clear();
        self.made.clear();
        self.outcomes.clear();
        self.teardown = None;
        self.coverage.on_mut(backend).stories += 1;
    }

    /// The next event is told; or the story is over.
    pub(super) fn tell(&mut self, event: Option<u16>, name: &'static str, bus: &Bus) {
        (self.event, self.told) = (event, name);
        self.steps_before = bus.steps_passed();
    }

    /// Whether the story is to go on.
    pub(super) fn goes_on(&mut self, bus: &Bus) -> bool {
        if self.finding.is_none() && bus.alarmed() {
            self.hear_alarms(bus);
        }
        self.finding.is_none()
    }

    pub(super) fn paused(&mut self, at: Point) {
        self.coverage.on_mut(self.backend).paused_at(at);
        if let Some(event) = self.event {
            self.pauses.push((event, at));
        }
    }

    /// A task of the kernel's own begins.
    pub(super) fn begin_other(&mut self, cpu: u8, name: &'static str) {
        self.seats[usize::from(cpu)] = Seat::Other(name);
    }

    /// A call begins: before its first effect, and before the kernel hears of it.
    pub(super) fn begin_call(&mut self, subject: &dyn Subject, cpu: u8, event: u16, call: Call) {
        let ticket = self.reference.begin(cpu, &outcome::as_told(&call, &self.designs));
        let began = self.aliases.tick();
        let mut flight = Flight { event, call, ticket, began, cpu, frames: [Frame(0); MAX_PAGES], known: 0 };
        match call.operation {
            Operation::Vmap { pages, .. }
            | Operation::MapRam { pages, .. }
            | Operation::DmaAlloc { pages, .. }
            | Operation::PinTree { pages, .. } => {
                flight.known = frames_of(subject, &pages, &mut flight.frames);
            }
            Operation::MakeTable { page }
            | Operation::Raw(RawCall::UpdateVa {
                entry: RawEntry::Leads { to: RawFrame::Page(page), .. },
                ..
            }) => {
                flight.known = frames_of(subject, &PageList::new([page]), &mut flight.frames);
            }
            // By this design the kernel maps it for a look.
            Operation::UnmakeTable { page } if self.designs.table_drain == TableDrain::CleanCache => {
                flight.known = frames_of(subject, &PageList::new([page]), &mut flight.frames);
            }
            Operation::UnpinTree { tree } if self.designs.table_drain == TableDrain::CleanCache => {
                flight.known = frames_of(subject, &self.trees[tree.index()], &mut flight.frames);
            }
            Operation::Vunmap { area } => self.aliases.going(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.aliases.going(Mapping::Ram(ram)),
            Operation::DmaFree { buffer } => self.aliases.going(Mapping::Buffer(buffer)),
            Operation::Owned(Owned::SetMemory { area, .. }) => self.promises.changing(area),
            Operation::Owned(Owned::SetMemoryType { area, .. }) => {
                self.memory_types.changing(self.promises.frames_of(area));
            }
            Operation::Owned(Owned::Vfree { area }) => {
                self.aliases.going(Mapping::Area(area));
                self.promises.going(area);
            }
            Operation::Mm(call) => self.loaded.begins(cpu, call),
            _ => {}
        }
        if let Operation::PinTree { pages, tree } = call.operation {
            self.trees[tree.index()] = pages;
        }
        let coverage = self.coverage.on_mut(self.backend);
        coverage.called[call.operation.index()] += 1;
        self.overlapped = self.under_way > 0;
        if self.overlapped {
            for seat in &self.seats {
                if let Seat::Call(other) = seat {
                    coverage.overlapped(&call.operation, &other.call.operation);
                }
            }
        }
        self.under_way += 1;
        self.seats[usize::from(cpu)] = Seat::Call(flight);
    }

    /// A device reads or writes, at once and on no CPU.
    pub(super) fn device(&mut self, subject: &mut dyn Subject, event: u16, call: Call) {
        self.begin_call(subject, Reference::DEVICE, event, call);
        let outcome = subject.device(call.operation);
        self.ended(subject.bus(), Reference::DEVICE, outcome);
    }

    /// The other domain looks whether its memory is what it was, takes what was given away, and writes to all it has.
    pub(super) fn touch(&mut self, subject: &mut dyn Subject) {
        if !self.no_alias {
            return;
        }
        let changed = self.other_domain.look(subject.bus()).filter(|_| self.checks.observational);
        subject.other_domain_takes();
        let reached = self.checks.eager.then(|| {
            other_domain::translations(subject.bus()).or_else(|| hypervisor::foreign_entries(subject.bus()))
        });
        self.other_domain.write(subject.bus());
        if let Some(breach) = changed.or(reached.flatten()) {
            self.find(breach, Reference::DEVICE, "touch");
        }
    }

    /// The other domain looks for the last time.
    pub(super) fn other_domain_looks(&self, bus: &Bus) -> Option<Breach> {
        self.other_domain.look(bus).filter(|_| self.no_alias)
    }

    fn end_call(&mut self, bus: &Bus, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let answered = outcome::as_answered(&flight.call, &self.designs, outcome);
        let judged = self.reference.end(flight.ticket, &answered);
        self.take_note(bus, flight, outcome);
        let verdict = match judged {
            Ok(verdict) => verdict,
            Err(illegal) => {
                let mut breach = outcome::breach(&illegal);
                breach.about.frames.extend(flight.frames());
                if let Operation::Read { place } | Operation::Write { place, .. } = flight.call.operation {
                    breach.about.pages.extend(self.aliases.address_of(place));
                }
                return self.checks.observational.then_some(breach);
            }
        };
        let seen = if self.checks.eager { self.look(bus, flight, outcome) } else { None };
        // It was judged for the last time.
        if let Operation::Owned(Owned::Vfree { area }) = flight.call.operation {
            self.promises.gone(area);
        }
        if seen.is_some() {
            return seen;
        }
        self.checks.observational.then(|| self.ledger.outcome(flight.event, verdict)).flatten()
    }

    /// What the outcome says about handles.
    fn take_note(&mut self, bus: &Bus, flight: &Flight, outcome: Outcome) {
        let coverage = self.coverage.on_mut(self.backend);
        let effect = matches!(outcome, Outcome::Done | Outcome::Value(_)) || outcome.range().is_some();
        coverage.effects[flight.call.operation.index()] += u64::from(effect);
        if self.recording {
            self.outcomes.push((flight.event, outcome));
        }
        match (flight.call.operation, outcome) {
            (Operation::Vmap { area, .. }, Outcome::Mapped(range)) => {
                self.made(bus, flight, Mapping::Area(area), range);
            }
            (Operation::MapRam { ram, .. }, Outcome::Mapped(range)) => {
                self.made(bus, flight, Mapping::Ram(ram), range);
            }
            (Operation::DmaAlloc { buffer, .. }, Outcome::Buffer(told)) => {
                self.made(bus, flight, Mapping::Buffer(buffer), told.range);
            }
            (Operation::Raw(call), _) if outcome != Outcome::Void => {
                self.astray = call.pages().fold(self.astray, |pages, page| pages | 1 << page.number());
            }
            (Operation::DmaFree { buffer }, _) => self.aliases.gone(Mapping::Buffer(buffer)),
            (Operation::Vunmap { area } | Operation::Owned(Owned::Vfree { area }), _) => {
                self.aliases.gone(Mapping::Area(area));
            }
            (Operation::UnmapRam { ram }, _) => self.aliases.gone(Mapping::Ram(ram)),
            (Operation::UnmakeTable { .. } | Operation::UnpinTree { .. }, _) if flight.known > 0 => {
                self.aliases.lost(|va| drain::leads_to(bus, va, flight.frames()));
            }
            (Operation::Owned(Owned::Vmalloc { area, .. }), Outcome::Mapped(range)) => {
                self.made(bus, flight, Mapping::Area(area), range);
                let root = self.boot_root;
                self.aliases.lost(|va| range_reuse::is_behind_large(bus, root, range, va));
                self.promises.made(area, flight.frames());
            }
            (Operation::Owned(Owned::SetMemory { area, access }), _) => self.promises.changed(area, access),
            (Operation::Owned(Owned::SetMemoryType { area, .. }), _) => {
                self.memory_types.changed(self.promises.frames_of(area));
            }
            // What came to nothing may have been mapped for a while, and unmapped lazily, at an address that no caller is
            // told of.
            (
                Operation::Vmap { .. }
                | Operation::MapRam { .. }
                | Operation::DmaAlloc { .. }
                | Operation::Owned(Owned::Vmalloc { .. }),
                Outcome::NoMemory | Outcome::WouldSleep,
            ) => {
                let newer = |va, behind| flight.maps_new() && drain::leads_to_newer(bus, va, behind);
                self.aliases
                    .lost_to(|va, behind| drain::leads_to(bus, va, flight.frames()) || newer(va, behind));
            }
            _ => {}
        }
    }

    fn made(&mut self, bus: &Bus, flight: &Flight, mapping: Mapping, range: Range) {
        let frames = flight.frames().iter().map(|frame| Behind::now(bus, *frame));
        self.aliases.made(mapping, range, frames);
        if self.recording {
            let frames = flight.frames().to_vec();
            self.made.push(Made { event: flight.event, mapping, range, frames });
        }
    }

    /// The eager checks at the end of a call.
    fn look(&mut self, bus: &Bus, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let of_this = match (flight.call.operation, outcome) {
            (_, Outcome::Mapped(range)) => self.look_at_range(bus, range, flight.frames()),
            (Operation::DmaAlloc { device, .. }, Outcome::Buffer(told)) => {
                let limit = self.device_limit.filter(|_| device == Device::Narrow);
                buffers::check(bus, self.boot_root, &told, limit)
                    .or_else(|| self.look_at_range(bus, told.range, flight.frames()))
            }
            (Operation::DrainAliases, Outcome::Done) => self.look_after_drain(bus, flight),
            (Operation::MakeTable { .. } | Operation::PinTree { .. } | Operation::Raw(_), _)
                if self.no_alias && self.under_way == 0 =>
            {
                hypervisor::entries(bus).or_else(|| self.look_at_update(bus, flight, outcome))
            }
            _ => None,
        };
        let of_this = of_this.or_else(|| self.look_at_roots(bus, flight, outcome));
        let of_this = of_this.or_else(|| self.promises.check(bus));
        let brings_types = match flight.call.operation {
            Operation::Owned(owned) => owned.area().is_some(),
            Operation::Mm(_) => true,
            _ => false,
        };
        let of_this = of_this.or_else(|| brings_types.then(|| self.memory_types.check(bus)).flatten());
        of_this.or_else(|| {
            let judges = self.no_alias && self.under_way == 0;
            judges.then(|| hypervisor::translations(bus)).flatten()
        })
    }

    /// Every CPU is in the address space that it loaded.
    fn look_at_roots(&mut self, bus: &Bus, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        if let Operation::Mm(call) = flight.call.operation {
            let breach = self.loaded.ends(bus, self.boot_root, flight.cpu, call, outcome);
            if breach.is_some() {
                return breach;
            }
        }
        self.loaded_at_rest(bus)
    }

    fn loaded_at_rest(&self, bus: &Bus) -> Option<Breach> {
        self.loaded.check(bus, self.boot_root)
    }

    /// What is judged at the ends of some calls, when nothing is under way any more.
    pub(super) fn look_at_rest(&self, bus: &Bus) -> Option<Breach> {
        self.loaded_at_rest(bus).or_else(|| self.memory_types.check(bus))
    }

    /// A range was returned for these frames.
    fn look_at_range(&self, bus: &Bus, range: Range, frames: &[Frame]) -> Option<Breach> {
        let lags = |root| self.designs.kernel_sync == KernelSync::OnFault && root != self.boot_root;
        range_reuse::check(bus, range, frames, lags)
    }

    /// A caller's own update by address was acknowledged: if nothing ran beside it, the entry is what it was to be.
    fn look_at_update(&self, bus: &Bus, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let Operation::Raw(RawCall::UpdateVa { table, index, entry }) = flight.call.operation else {
            return None;
        };
        if self.overlapped || outcome != Outcome::Done {
            return None;
        }
        let root = bus.core(flight.cpu).cr3().root;
        acknowledged::check(bus, root, (table, index), entry, flight.frames().first().copied())
    }

    fn look_after_drain(&mut self, bus: &Bus, flight: &Flight) -> Option<Breach> {
        let tables_only = drain::promises_tables_only(&self.designs, flight.call.irqs_off);
        let being_mapped = |frame: Frame, newer: bool| {
            let maps = |other: &Flight| other.maps(frame) || newer && other.maps_new();
            self.seats.iter().any(|seat| matches!(seat, Seat::Call(other) if maps(other)))
        };
        let breach = drain::check(bus, &self.aliases, flight.began, tables_only, being_mapped);
        if breach.is_none() {
            self.aliases.forget_gone_by(flight.began, |va, behind| drain::is_gone(bus, va, behind));
        }
        breach
    }

    /// The first alarm that the checks care for ends the story.
    fn hear_alarms(&mut self, bus: &Bus) {
        if let Some(breach) = first_alarm(bus, self.checks) {
            let cpu = breach.cpu.unwrap_or(0);
            let operation = self.runs_on(cpu);
            self.find(breach, cpu, operation);
        }
    }

    /// What runs on a CPU, in the words of stories.
    fn runs_on(&self, cpu: u8) -> &'static str {
        match &self.seats[usize::from(cpu)] {
            Seat::Idle => self.told,
            Seat::Call(flight) => flight.call.operation.name(),
            Seat::Other(name) => name,
        }
    }

    /// A rule was seen broken.
    pub(super) fn find(&mut self, breach: Breach, cpu: u8, operation: &'static str) {
        let Breach { rule, what, detail, about, cpu: seen_on } = breach;
        let cpu = seen_on.unwrap_or(cpu);
        let headline = Headline { rule, operation, backend: self.name, cpu, what };
        self.finding.get_or_insert(Finding { headline, event: self.event, detail, about });
    }

    /// The kernel panicked while the event was told.
    pub(super) fn panicked(&mut self, panic: &Panic) {
        let first_line = panic.message.lines().next().unwrap_or_default();
        let what = format!("the kernel panicked: {}", words_only(first_line));
        let detail = format!("{} ({}:{})", panic.message, panic.file, panic.line);
        let breach =
            Breach { rule: Rule::Rest, cpu: None, what: what.into(), detail, about: About::default() };
        let told = self.told;
        self.find(breach, 0, told);
    }

    pub(super) fn count_steps(&mut self, protocol: &Protocol) {
        let coverage = self.coverage.on_mut(self.backend);
        for step in Step::ALL {
            coverage.met[*step as usize] += u64::from(protocol.take_met(*step));
        }
    }

    /// What the pages hold in the end that areas own.
    pub(super) fn contents_of_areas(&mut self, bus: &Bus) -> Option<Breach> {
        let Self { promises, reference, ledger, .. } = self;
        let held = promises.owned().find_map(|(area, frames)| {
            (0..)
                .zip(frames)
                .find_map(|(page, frame)| outcome::contents_of(bus, reference, area, page, *frame))
        });
        let areas = promises.owned().map(|(area, frames)| (area, frames.len()));
        held.or_else(|| ledger.contents_of_areas(reference, areas))
    }

    /// The frames behind the pages that a guest gone astray has, where a hypervisor is beneath it.
    pub(super) fn astray(&self, subject: &dyn Subject) -> Vec<Frame> {
        let slots = (0..SLOTS).filter(|slot| self.no_alias && self.astray & 1 << slot != 0);
        slots.filter_map(|slot| subject.frame_of(PageSlot::new(slot))).collect()
    }

    pub(super) fn checks(&self) -> Checks {
        self.checks
    }

    pub(super) fn no_alias(&self) -> bool {
        self.no_alias
    }
}

impl Observer<Outcome> for Scene {
    fn ended(&mut self, bus: &Bus, cpu: u8, outcome: Outcome) {
        if !self.goes_on(bus) {
            return;
        }
        let seat = core::mem::replace(&mut self.seats[usize::from(cpu)], Seat::Idle);
        if let Seat::Call(mut flight) = seat {
            self.under_way -= 1;
            flight.hear(bus, self.boot_root, outcome);
            if let Some(breach) = self.end_call(bus, &flight, outcome) {
                self.find(breach, cpu, flight.call.operation.name());
            }
        }
    }
}

fn frames_of(subject: &dyn Subject, pages: &PageList, frames: &mut [Frame; MAX_PAGES]) -> u8 {
    let mut known = 0;
    for page in pages.as_slice() {
        let Some(frame) = subject.frame_of(PageSlot::new(page.number())) else { return 0 };
        frames[usize::from(known)] = frame;
        known += 1;
    }
    known
}
