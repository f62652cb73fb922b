//! One backend while it plays a story: what runs on which CPU, what the reference says about it, and the checks at every
//! begin and end. It hears of each operation at the moment it ends, be it told or helped along by another CPU.
//!
//! It knows no operation. What an operation makes and what it names, the modes in its row say; what that means for a rule, the
//! check of the rule knows.

use machine::{Bus, Frame, MAX_CPUS, Observer, Point};
use oracle::vocabulary::{
    AreaSlot, Call, Mode, Named, Outcome, PageList, PageSlot, Role, SLOTS, Sort, USER_PAGES, Use,
};
use oracle::{Reference, Rule, Ticket};

use impls::protocol::Designs;
use impls::{Protocol, Sizes, Step};

use crate::checks::agreement::Ledger;
use crate::checks::other_domain::{self, OtherDomain};
use crate::checks::watch::{self, Check, Flight, View};
use crate::checks::{Breach, Checks, first_alarm, hypervisor, outcome, range_reuse};
use crate::coverage::Coverage;
use crate::headline::{About, Finding, Headline, words_only};
use crate::story::Backends;
use crate::story::held::mapping;
use crate::subject::Subject;

use super::Made;
use super::panics::Panic;

const SEATS: usize = MAX_CPUS as usize;

/// What a thing is made of.
#[derive(Clone, Debug, Default)]
struct MadeOf {
    /// The frames behind it, if it is a mapping.
    frames: Vec<Frame>,
    /// The pages, if they are its own to name: a tree's.
    pages: Option<PageList>,
    owns: bool,
}

/// The scene of one story after the other.
#[derive(Debug)]
pub(super) struct Scene {
    checks: Checks,
    watching: Vec<Box<dyn Check>>,
    backend: Backends,
    name: &'static str,
    designs: Designs,
    no_alias: bool,
    device_limit: Option<u32>,
    boot_root: Frame,
    user_pages: Vec<u64>,
    pub(super) reference: Reference,
    pub(super) ledger: Ledger,
    other_domain: OtherDomain,
    /// The pages that a guest gone astray has, a bit for each slot.
    astray: u16,
    /// What each thing is made of, by its sort and slot.
    made_of: [[MadeOf; SLOTS as usize]; Sort::ALL.len()],
    flights: [Option<Flight>; SEATS],
    tickets: [Option<Ticket>; SEATS],
    /// What else runs on a CPU.
    others: [Option<&'static str>; SEATS],
    /// The time: each begin and end of a call is later than all before.
    now: u32,
    /// Something else ran beside the call that began last.
    overlapped: bool,
    /// The event that is being told, and its name.
    event: Option<u16>,
    told: &'static str,
    /// How many points were passed before it.
    pub(super) steps_before: u32,
    /// A story that passes this many points is a livelock, even if the machine allows more.
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
            watching: watch::all(),
            backend: Backends::empty(),
            name: "",
            designs: Designs::default(),
            no_alias: false,
            device_limit: None,
            boot_root: Frame(0),
            user_pages: Vec::new(),
            reference: Reference::new(Sizes::INITIAL_PAGES),
            ledger: Ledger::default(),
            other_domain: OtherDomain::default(),
            astray: 0,
            made_of: Default::default(),
            flights: [None; SEATS],
            tickets: [None; SEATS],
            others: [None; SEATS],
            now: 0,
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
        self.user_pages.clear();
        self.user_pages.extend((0..USER_PAGES).map_while(|page| subject.user_address(page)));
        self.reference.reset(Sizes::INITIAL_PAGES, subject.room());
        self.watching.iter_mut().for_each(|check| check.clear());
        self.other_domain.clear();
        self.astray = 0;
        for made_of in self.made_of.as_flattened_mut() {
            made_of.frames.clear();
        }
        self.flights = [None; SEATS];
        self.tickets = [None; SEATS];
        self.others = [None; SEATS];
        self.now = 0;
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
        self.others[usize::from(cpu)] = Some(name);
    }

    fn tick(&mut self) -> u32 {
        self.now += 1;
        self.now
    }

    /// A call begins: before its first effect, and before the kernel hears of it.
    pub(super) fn begin_call(&mut self, subject: &dyn Subject, cpu: u8, event: u16, call: Call) {
        let seat = usize::from(cpu);
        self.tickets[seat] = Some(self.reference.begin(cpu, &outcome::as_told(&call, &self.designs)));
        let mut flight = Flight::new(event, call, cpu, self.tick());
        self.look_behind(subject, &mut flight);
        let coverage = self.coverage.on_mut(self.backend);
        coverage.called[call.operation.index()] += 1;
        self.overlapped = false;
        for other in self.flights.iter().flatten() {
            coverage.overlapped(&call.operation, &other.call.operation);
            self.overlapped = true;
        }
        let (watching, view) = self.watch(subject.bus());
        for check in watching {
            check.begins(&view, &flight);
        }
        self.flights[seat] = Some(flight);
    }

    /// The checks, and what they see.
    fn watch<'a>(&'a mut self, bus: &'a Bus) -> (&'a mut [Box<dyn Check>], View<'a>) {
        let view = View {
            bus,
            boot_root: self.boot_root,
            designs: &self.designs,
            no_alias: self.no_alias,
            device_limit: self.device_limit,
            reference: &self.reference,
            user_pages: &self.user_pages,
            under_way: &self.flights,
            overlapped: self.overlapped,
        };
        (&mut self.watching, view)
    }

    /// Tells a flight of the frames behind what it names. Where one of its pages has none, none is told.
    fn look_behind(&self, subject: &dyn Subject, flight: &mut Flight) {
        let operation = flight.call.operation;
        let mut all = true;
        let mut add = |frame: Option<Frame>| match frame {
            Some(frame) => flight.has_frame(frame),
            None => all = false,
        };
        operation.each_use(|Use { named, mode }| match named {
            Named::Pages(pages) => pages.as_slice().iter().for_each(|page| add(subject.frame_of(*page))),
            Named::Thing(..) if matches!(mode, Mode::New(_)) => {}
            Named::Thing(Sort::Page, slot) => add(subject.frame_of(PageSlot::new(slot))),
            Named::Thing(sort, slot) => {
                let made_of = &self.made_of[sort as usize][usize::from(slot)];
                made_of.frames.iter().for_each(|frame| add(Some(*frame)));
                let pages = made_of.pages.iter().flat_map(PageList::as_slice);
                pages.for_each(|page| add(subject.frame_of(*page)));
            }
            Named::Length(_) | Named::Nothing => {}
        });
        if !all {
            flight.has_frames([]);
        }
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

    fn end_call(
        &mut self,
        bus: &Bus,
        flight: &mut Flight,
        ticket: Ticket,
        outcome: Outcome,
    ) -> Option<Breach> {
        flight.ended = self.tick();
        self.hear(bus, flight, outcome);
        let answered = outcome::as_answered(&flight.call, &self.designs, outcome);
        let judged = self.reference.end(ticket, &answered);
        self.take_note(flight, outcome);
        let verdict = match judged {
            Ok(verdict) => verdict,
            Err(illegal) => {
                let mut breach = outcome::breach(&illegal);
                breach.about.frames.extend(flight.frames());
                return self.checks.observational.then_some(breach);
            }
        };
        let (eager, observational) = (self.checks.eager, self.checks.observational);
        let (watching, view) = self.watch(bus);
        let seen = watching.iter_mut().find_map(|check| check.ends(&view, flight, outcome).filter(|_| eager));
        seen.or_else(|| observational.then(|| self.ledger.outcome(flight.event, verdict)).flatten())
    }

    /// What the outcome tells of the frames that a mapping was made of.
    fn hear(&mut self, bus: &Bus, flight: &mut Flight, outcome: Outcome) {
        let mut owns = false;
        flight.call.operation.each_use(|Use { mode, .. }| owns |= mode == Mode::New(Role::Own));
        match outcome {
            // The driver was told where its device finds them.
            Outcome::Buffer(made) => flight.has_frames(made.bus().map(Frame)),
            // Which they are no caller is told; they stand in the tables.
            Outcome::Mapped(range) if owns => {
                let frames = range_reuse::frames_at(bus, self.boot_root, range);
                flight.has_frames(frames);
            }
            _ => {}
        }
    }

    /// What the outcome says about what callers hold.
    fn take_note(&mut self, flight: &Flight, outcome: Outcome) {
        let coverage = self.coverage.on_mut(self.backend);
        coverage.effects[flight.call.operation.index()] += u64::from(outcome.gives());
        if self.recording {
            self.outcomes.push((flight.event, outcome));
        }
        let mut pages = None;
        flight.call.operation.each_use(|Use { named, mode }| match (named, mode) {
            (Named::Pages(list), Mode::Becomes(..)) => pages = Some(list),
            (Named::Thing(Sort::Page, slot), Mode::GivesUp | Mode::Uses(Some(Role::Astray))) => {
                self.astray |= u16::from(outcome != Outcome::Void) << slot;
            }
            (Named::Thing(sort, slot), Mode::Ends(_)) => {
                self.made_of[sort as usize][usize::from(slot)] = MadeOf::default();
            }
            _ => {}
        });
        flight.call.operation.each_use(|Use { named, mode }| {
            let (Named::Thing(sort, slot), Mode::New(role)) = (named, mode) else { return };
            let made_of = &mut self.made_of[sort as usize][usize::from(slot)];
            (made_of.pages, made_of.owns) = (pages, role == Role::Own);
            made_of.frames.clear();
            let Some(range) = outcome.range() else { return };
            made_of.frames.extend(flight.frames());
            if self.recording {
                let (mapping, frames) = (mapping(sort, slot), flight.frames().to_vec());
                self.made.push(Made { event: flight.event, mapping, range, frames });
            }
        });
    }

    /// What is judged when the story is over and nothing is under way any more.
    pub(super) fn look_at_rest(&mut self, bus: &Bus) -> Option<Breach> {
        let (watching, view) = self.watch(bus);
        watching.iter_mut().find_map(|check| check.rest(&view))
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
        let seat = usize::from(cpu);
        match (&self.flights[seat], self.others[seat]) {
            (Some(flight), _) => flight.call.operation.name(),
            (None, Some(name)) => name,
            (None, None) => self.told,
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
        let areas = || {
            let areas = (0..SLOTS).map(AreaSlot::new).zip(&self.made_of[Sort::Area as usize]);
            areas.filter(|(_, made_of)| made_of.owns && !made_of.frames.is_empty())
        };
        let held = areas().find_map(|(area, made_of)| {
            let mut pages = (0..).zip(&made_of.frames);
            pages.find_map(|(page, frame)| outcome::contents_of(bus, &self.reference, area, page, *frame))
        });
        let owned = areas().map(|(area, made_of)| (area, made_of.frames.len()));
        held.or_else(|| self.ledger.contents_of_areas(&self.reference, owned))
    }

    /// The frames behind the pages that a guest gone astray has, where a hypervisor is beneath it.
    pub(super) fn astray(&self, subject: &dyn Subject) -> Vec<Frame> {
        let slots = (0..SLOTS).filter(|slot| self.no_alias && self.astray & 1 << slot != 0);
        slots.filter_map(|slot| subject.frame_of(PageSlot::new(slot))).collect()
    }

    pub(super) fn checks(&self) -> Checks {
        self.checks
    }
}

impl Observer<Outcome> for Scene {
    fn ended(&mut self, bus: &Bus, cpu: u8, outcome: Outcome) {
        if !self.goes_on(bus) {
            return;
        }
        let seat = usize::from(cpu);
        self.others[seat] = None;
        if let (Some(mut flight), Some(ticket)) = (self.flights[seat].take(), self.tickets[seat].take())
            && let Some(breach) = self.end_call(bus, &mut flight, ticket, outcome)
        {
            self.find(breach, cpu, flight.call.operation.name());
        }
    }
}
