//! A trivially correct kernel: every operation takes effect at one moment between its begin and its end, and a
//! random choice says at which.
use oracle::vocabulary::{
    Access, AreaSlot, BufferSlot, Call, Coherent, MAX_PAGES, Mapping, Mode, Named, Operation, Outcome,
    PageList, PageSlot, Place, Range, Role, SLOTS, Sort, Token, Use,
};
use oracle::{Illegal, Reference, Ticket, Verdict};

mod choices;
mod compared;
mod user;

pub(crate) use choices::Choices;

use crate::script::{CPUS, INITIAL_PAGES, Step, index};

/// Pages of address space, so few that ranges are reused and run out.
const SPACE: u64 = 8;
const START: u64 = 0xffff_c900_0000_0000;

struct Running {
    step: usize,
    call: Call,
    ticket: Ticket,
    outcome: Option<Outcome>,
    progress: user::Progress,
}

/// What was said of one operation.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) step: usize,
    pub(crate) call: Call,
    pub(crate) verdict: Result<Verdict, Illegal>,
}

/// The kernel beside its reference.
pub(crate) struct Toy {
    pub(crate) reference: Reference,
    pub(crate) said: Vec<Said>,
    /// How often a page was seen for which the reference held more than one word possible.
    pub(crate) wide: usize,
    words: [Option<Token>; SLOTS as usize],
    tables: [bool; SLOTS as usize],
    astray: [bool; SLOTS as usize],
    trees: [Option<PageList>; SLOTS as usize],
    maps: [Option<(PageList, u64)>; 3 * SLOTS as usize],
    /// The words of the pages that an area owns, and what it allows.
    own: [Option<([Token; MAX_PAGES], Access)>; SLOTS as usize],
    pub(crate) user: user::Memory,
    running: [Option<Running>; CPUS],
    choices: Choices,
}

/// Changes an answer on its way to the reference: given the number of the answer, the call and the truth.
pub(crate) type Tamper<'t> = &'t mut dyn FnMut(&Reference, usize, &Call, Outcome) -> Outcome;

impl Toy {
    /// Plays a script with the choices of this seed.
    pub(crate) fn play(script: &[Step], seed: u64, tamper: Tamper<'_>) -> Self {
        let mut words = [None; SLOTS as usize];
        words[..usize::from(INITIAL_PAGES)].fill(Some(Token::ZERO));
        let mut toy = Self {
            reference: Reference::new(INITIAL_PAGES),
            said: Vec::new(),
            wide: 0,
            words,
            tables: [false; SLOTS as usize],
            astray: [false; SLOTS as usize],
            trees: [None; SLOTS as usize],
            maps: [None; 3 * SLOTS as usize],
            own: [None; SLOTS as usize],
            user: user::Memory::default(),
            running: [const { None }; CPUS],
            choices: Choices(seed | 1),
        };
        for (number, step) in script.iter().enumerate() {
            toy.drift(tamper);
            match *step {
                _ if toy.objected() => break,
                Step::Begin { cpu, call, paused } => toy.begin(number, cpu, call, paused, tamper),
                Step::Continue { cpu } => toy.finish(cpu, tamper),
            }
            if toy.objected() {
                break;
            }
            toy.compare_words();
            toy.compare_pages();
        }
        toy
    }

    /// Whether the reference objected to anything, not only to what ended last: what it says afterwards is worth
    /// nothing.
    fn objected(&self) -> bool {
        self.said.iter().any(|said| said.verdict.is_err())
    }

    /// What is in flight takes effect or returns, as chance will have it.
    fn drift(&mut self, tamper: Tamper<'_>) {
        for cpu in 0..CPUS {
            if self.running[cpu].is_some() && self.choices.one_in(4) {
                self.take_step(cpu);
            }
            if self.running[cpu].as_ref().is_some_and(|running| running.outcome.is_some())
                && self.choices.one_in(6)
            {
                self.finish(cpu, tamper);
            }
        }
    }

    fn begin(&mut self, step: usize, cpu: usize, call: Call, paused: bool, tamper: Tamper<'_>) {
        let outcome = if self.lacks(&call.operation) { Some(Outcome::Void) } else { None };
        let ticket = self.reference.begin(cpu as u8, &call);
        self.give_up(&call.operation);
        self.running[cpu] =
            Some(Running { step, call, ticket, outcome, progress: user::Progress::default() });
        // A pause may lie behind the last point of an operation, and is then not reached.
        if !paused || outcome.is_some() || self.choices.one_in(5) {
            self.finish(cpu, tamper);
        }
    }

    /// From its begin on an operation has the pages for ever that are given up to it, be it void or not.
    fn give_up(&mut self, operation: &Operation) {
        operation.each_use(|Use { named, mode }| {
            if let (Named::Thing(_, page), Mode::GivesUp) = (named, mode)
                && self.words[usize::from(page)].take().is_some()
            {
                self.astray[usize::from(page)] = true;
            }
        });
    }

    fn finish(&mut self, cpu: usize, tamper: Tamper<'_>) {
        self.take_effect(cpu);
        if let Some(Running { step, call, ticket, outcome: Some(truth), .. }) = self.running[cpu].take() {
            let told = tamper(&self.reference, self.said.len(), &call, truth);
            let verdict = self.reference.end(ticket, &told);
            self.said.push(Said { step, call, verdict });
        }
    }

    fn lacks(&self, operation: &Operation) -> bool {
        let mut lacks = false;
        operation.each_use(|Use { named, mode }| {
            lacks |= match (named, mode) {
                (_, Mode::New(_)) | (Named::Nothing | Named::Length(_), _) => false,
                (Named::Pages(pages), _) => pages.as_slice().iter().any(|page| !self.has_page(*page)),
                (Named::Thing(Sort::Page, slot), Mode::Becomes(Role::Table, _)) => {
                    !self.tables[usize::from(slot)]
                }
                (Named::Thing(Sort::Page, slot), _) => !self.has_page(PageSlot::new(slot)),
                (Named::Thing(Sort::Tree, slot), _) => self.trees[usize::from(slot)].is_none(),
                (Named::Thing(Sort::Mm, slot), _) => !self.user.has_mm(slot),
                (Named::Thing(Sort::Object, slot), _) => !self.user.has_object(slot),
                (Named::Thing(Sort::Pins, slot), _) => !self.user.has_pins(slot),
                (Named::Thing(sort, slot), _) => self.maps[place_of(sort, slot)].is_none(),
            };
        });
        lacks
    }

    /// A page that was given up to raw hypercalls holds no word, and is there all the same.
    fn has_page(&self, page: PageSlot) -> bool {
        self.words[page.index()].is_some() || self.astray[page.index()]
    }

    fn take_effect(&mut self, cpu: usize) {
        while self.running[cpu].as_ref().is_some_and(|running| running.outcome.is_none()) {
            self.take_step(cpu);
        }
    }

    /// An operation on user memory takes effect step by step, any other at once.
    fn take_step(&mut self, cpu: usize) {
        let Some(running @ Running { outcome: None, .. }) = &mut self.running[cpu] else { return };
        let call = &running.call;
        if crate::is_of_user_memory(&call.operation) {
            running.outcome =
                self.user.step((call.operation, call.irqs_off), &mut running.progress, &mut self.choices);
            return;
        }
        let outcome = match *call {
            Call { operation: Operation::DrainAliases {}, irqs_off: true } => Outcome::WouldSleep,
            Call {
                operation: Operation::DmaAlloc { .. } | Operation::DmaAllocWide { .. },
                irqs_off: true,
            } if self.choices.one_in(4) => Outcome::WouldSleep,
            Call { operation: Operation::MakeTable { .. } | Operation::PinTree { .. }, irqs_off: true }
                if self.choices.one_in(2) =>
            {
                Outcome::WouldSleep
            }
            Call { operation, .. } => self.effect(operation),
        };
        if let Some(running) = &mut self.running[cpu] {
            running.outcome = Some(outcome);
        }
    }

    fn effect(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::AllocPage { .. } if self.choices.one_in(6) => return Outcome::NoMemory,
            Operation::AllocPage { page } => self.words[page.index()] = Some(Token::ZERO),
            Operation::FreePage { page } => self.words[page.index()] = None,
            Operation::Vmap { pages, area } => return self.map(Mapping::Area(area), pages),
            Operation::MapRam { pages, ram } => return self.map(Mapping::Ram(ram), pages),
            Operation::Vunmap { area } => self.maps[index(Mapping::Area(area))] = None,
            Operation::UnmapRam { ram } => self.maps[index(Mapping::Ram(ram))] = None,
            Operation::Exec { place } if !self.access_at(place).executes() => return Outcome::Fault,
            // How memory is cached changes nothing that a caller finds there.
            Operation::DrainAliases {}
            | Operation::TrackAliases {}
            | Operation::SetPageFlag { .. }
            | Operation::SetMemoryWc { .. }
            | Operation::SetMemoryWb { .. }
            | Operation::SwitchMm { .. }
            | Operation::Exec { .. } => {}
            Operation::NewObject { .. } | Operation::NewMm { .. } if self.choices.one_in(4) => {
                return Outcome::NoMemory;
            }
            Operation::NewObject { object, count } => self.user.new_object(object, count.0),
            Operation::DropObject { object } => self.user.drop_object(object),
            Operation::NewMm { mm } => self.user.new_mm(mm),
            Operation::DropMm { mm } => self.user.drop_mm(mm),
            Operation::PinTree { pages, tree } => {
                pages.as_slice().iter().for_each(|page| self.words[page.index()] = None);
                self.trees[tree.index()] = Some(pages);
            }
            Operation::UnpinTree { tree } => {
                let pages = self.trees[tree.index()].take().expect("a tree that stands");
                pages.as_slice().iter().for_each(|page| self.words[page.index()] = Some(Token::ZERO));
            }
            Operation::DmaAlloc { pages, buffer } | Operation::DmaAllocWide { pages, buffer } => {
                return self.make_buffer(pages, buffer);
            }
            Operation::DmaFree { buffer } => {
                if let Some((pages, _)) = self.maps[index(Mapping::Buffer(buffer))].take() {
                    self.zero(&pages, pages.len());
                }
            }
            Operation::HvUpdate { .. }
            | Operation::HvPin { .. }
            | Operation::HvUnpin { .. }
            | Operation::HvExchange { .. }
            | Operation::HvWrite { .. }
            | Operation::HvFlush {}
            | Operation::HvLoadRoot { .. }
            | Operation::HvUpdateVa { .. } => {
                return if self.choices.one_in(2) { Outcome::Refused } else { Outcome::Done };
            }
            Operation::Read { place } => return Outcome::Value(*self.word_at(place)),
            Operation::ReadDirect { page } => return Outcome::Value(*self.word_at(page.place())),
            Operation::DeviceRead { at } => return Outcome::Value(*self.word_at(at.place())),
            Operation::DeviceWrite { at, token } => *self.word_at(at.place()) = token,
            Operation::Write { place, token } => return self.write(place, token),
            Operation::WriteDirect { page, token } => return self.write(page.place(), token),
            Operation::Vmalloc { count, area } | Operation::VmallocHuge { count, area } => {
                // Which pages they are concerns no caller; the list has their number.
                let pages = PageList::new((0..count.0).map(PageSlot::new));
                let outcome = self.map(Mapping::Area(area), pages);
                if matches!(outcome, Outcome::Mapped(_)) {
                    self.own[area.index()] = Some(([Token::ZERO; MAX_PAGES], Access::ReadWrite));
                }
                return outcome;
            }
            Operation::SetMemoryRo { area } => self.allow(area, Access::ReadOnly),
            Operation::SetMemoryRox { area } => self.allow(area, Access::ReadExecute),
            Operation::SetMemoryRw { area } => self.allow(area, Access::ReadWrite),
            Operation::Vfree { area } => {
                self.own[area.index()] = None;
                self.maps[index(Mapping::Area(area))] = None;
            }
            Operation::MakeTable { page } if self.choices.one_in(6) => {
                if self.choices.one_in(4) {
                    self.words[page.index()] = Some(Token::ZERO);
                }
                return Outcome::NoMemory;
            }
            Operation::MakeTable { page } => {
                self.words[page.index()] = None;
                self.tables[page.index()] = true;
            }
            Operation::UnmakeTable { page } => {
                self.words[page.index()] = Some(Token::ZERO);
                self.tables[page.index()] = false;
            }
            _ => unreachable!("it takes effect in steps"),
        }
        Outcome::Done
    }

    fn write(&mut self, place: Place, token: Token) -> Outcome {
        if !self.access_at(place).writes() {
            return Outcome::Fault;
        }
        *self.word_at(place) = token;
        Outcome::Done
    }

    fn allow(&mut self, area: AreaSlot, access: Access) {
        self.own[area.index()].as_mut().expect("an area that owns its pages").1 = access;
    }

    /// Where there is no room, some of its pages may have been zeroed already.
    fn make_buffer(&mut self, pages: PageList, buffer: BufferSlot) -> Outcome {
        let made = self.map(Mapping::Buffer(buffer), pages);
        let zeroed = if made == Outcome::NoMemory {
            self.choices.below(1 + pages.len() as u64) as usize
        } else {
            pages.len()
        };
        self.zero(&pages, zeroed);
        made
    }

    fn zero(&mut self, pages: &PageList, first: usize) {
        for page in &pages.as_slice()[..first] {
            self.words[page.index()] = Some(Token::ZERO);
        }
    }

    /// The pages of its own of the area that a place is in.
    fn own_at(&mut self, place: Place) -> Option<&mut ([Token; MAX_PAGES], Access)> {
        match place.mapping {
            Mapping::Area(area) => self.own[area.index()].as_mut(),
            Mapping::Ram(_) | Mapping::Buffer(_) => None,
        }
    }

    fn access_at(&mut self, place: Place) -> Access {
        self.own_at(place).map_or(Access::ReadWrite, |own| own.1)
    }

    fn word_at(&mut self, place: Place) -> &mut Token {
        if self.own_at(place).is_some() {
            return &mut self.own_at(place).expect("looked at above").0[usize::from(place.page)];
        }
        let page = self.page_at(place.mapping, place.page);
        self.words[page.index()].as_mut().expect("a mapped page holds a word")
    }

    fn page_at(&self, mapping: Mapping, page: u8) -> PageSlot {
        let (pages, _) = self.maps[index(mapping)].expect("an access is to a mapping that stands");
        pages.as_slice()[usize::from(page)]
    }

    /// First fit, with a page left behind each; the end of an unmap is not waited for. Where anything is mapped it may
    /// find no memory.
    fn map(&mut self, mapping: Mapping, pages: PageList) -> Outcome {
        let len = pages.len() as u64;
        let free = |start: u64| {
            self.maps
                .iter()
                .flatten()
                .all(|(theirs, at)| start + len < *at || at + (theirs.len() as u64) < start)
        };
        match (0..=SPACE - len).find(|&start| free(start)) {
            Some(at) if !(self.maps.iter().any(Option::is_some) && self.choices.one_in(8)) => {
                self.maps[index(mapping)] = Some((pages, at));
                let range = Range { start: START + at * 4096, pages: pages.len() as u8 };
                match mapping {
                    Mapping::Buffer(_) => Outcome::Buffer(Coherent { range, segments: Default::default() }),
                    _ => Outcome::Mapped(range),
                }
            }
            _ => Outcome::NoMemory,
        }
    }
}

/// The place of a mapping among all of them.
fn place_of(sort: Sort, slot: u8) -> usize {
    let of_sort = match sort {
        Sort::Area => 0,
        Sort::Ram => 1,
        _ => 2,
    };
    of_sort * usize::from(SLOTS) + usize::from(slot)
}
