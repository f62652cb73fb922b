//! Random scripts: what a story tells, with every handle idle when it is used. Which operations there are, and what they do with
//! what they name, is drawn from the rows, by an interpreter of the modes that only these tests have.

use oracle::vocabulary::{
    AreaSlot, BufferPage, BufferSlot, Call, Count, Level, Mapping, MmSlot, Mode, Named, ObjectSlot,
    Operation, OwnPage, PageList, PageSlot, PinSlot, Place, ROWS, RamSlot, RawAccess, RawEntry, RawFrame,
    Role, Root, SLOTS, Sort, TableEntry, Token, TreeSlot, Use,
};

mod user;

/// CPUs of a script.
pub(crate) const CPUS: usize = 4;
/// Pages that are there when it begins.
pub(crate) const INITIAL_PAGES: u8 = 3;

/// One line of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An operation begins. Paused, it may last until its CPU is told to continue.
    Begin { cpu: usize, call: Call, paused: bool },
    /// What is paused on this CPU runs to its end.
    Continue { cpu: usize },
}

/// What the script believes of a thing, as if every operation succeeded.
#[derive(Clone, Copy, Default)]
struct Thing {
    /// None while it is not there; busy things are in no role.
    role: Option<Role>,
    busy: bool,
    users: u8,
    changing: bool,
    made_of: Vec8,
    /// The pages that it is made of are tables, or lent while it comes and goes.
    takes: Option<Mode>,
    length: u8,
}

/// A few page slots.
#[derive(Clone, Copy, Default)]
struct Vec8(u16);

impl Vec8 {
    fn each(self) -> impl Iterator<Item = u8> {
        (0..SLOTS).filter(move |slot| self.0 >> slot & 1 != 0)
    }
}

/// So many slots of each sort are used: few, so that they are used again.
const fn few(sort: Sort) -> u8 {
    match sort {
        Sort::Page => 6,
        Sort::Area | Sort::Ram => 4,
        Sort::Buffer | Sort::Mm | Sort::Object | Sort::Pins => 3,
        Sort::Tree => 2,
    }
}

struct Belief {
    things: [[Thing; SLOTS as usize]; Sort::ALL.len()],
    running: [Option<Operation>; CPUS],
}

/// The place of a mapping among all of them.
pub(crate) fn index(mapping: Mapping) -> usize {
    match mapping {
        Mapping::Area(slot) => slot.index(),
        Mapping::Ram(slot) => usize::from(SLOTS) + slot.index(),
        Mapping::Buffer(slot) => 2 * usize::from(SLOTS) + slot.index(),
    }
}

/// What is drawn for one operation.
struct Draw<'a> {
    belief: &'a Belief,
    operand: u8,
    more: u8,
    token: u32,
}

impl Draw<'_> {
    fn slot(&self, sort: Sort, mode: Option<Mode>) -> Option<u8> {
        let may = |slot: &u8| self.belief.may(sort, *slot, mode.expect("a thing has a mode"));
        let candidates: Vec<u8> = (0..few(sort)).filter(may).collect();
        (!candidates.is_empty()).then(|| candidates[usize::from(self.operand) % candidates.len()])
    }

    fn page_within(&self, sort: Sort, slot: u8) -> u8 {
        self.operand / 16 % self.belief.thing(sort, slot).length
    }
}

/// An operand that can be drawn.
trait Drawn: Sized {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self>;
}

macro_rules! drawn_slots {
    ($($slot:ident)*) => {
        $(impl Drawn for $slot {
            fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
                draw.slot(Self::SORT, mode).map(Self::new)
            }
        })*
    };
}

drawn_slots!(PageSlot AreaSlot RamSlot BufferSlot TreeSlot MmSlot ObjectSlot PinSlot);

impl Drawn for PageList {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let may = |slot: &u8| draw.belief.may(Sort::Page, *slot, mode.expect("pages have a mode"));
        let pages = (0..SLOTS).filter(may).skip(usize::from(draw.operand >> 7));
        let pages = Self::new(pages.take(1 + usize::from(draw.more) % 3).map(PageSlot::new));
        (!pages.is_empty()).then_some(pages)
    }
}

impl Drawn for Place {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let sorts = [Sort::Area, Sort::Ram, Sort::Buffer];
        let turn = usize::from(draw.more);
        let (sort, slot) = (0..sorts.len()).find_map(|step| {
            let sort = sorts[(turn + step) % sorts.len()];
            draw.slot(sort, mode).map(|slot| (sort, slot))
        })?;
        let mapping = match sort {
            Sort::Area => Mapping::Area(AreaSlot::new(slot)),
            Sort::Ram => Mapping::Ram(RamSlot::new(slot)),
            _ => Mapping::Buffer(BufferSlot::new(slot)),
        };
        Some(Self { mapping, page: draw.page_within(sort, slot) })
    }
}

impl Drawn for OwnPage {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let area = AreaSlot::draw(draw, mode)?;
        Some(Self { area, page: draw.page_within(Sort::Area, area.number()) })
    }
}

impl Drawn for BufferPage {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let buffer = BufferSlot::draw(draw, mode)?;
        Some(Self { buffer, page: draw.page_within(Sort::Buffer, buffer.number()) })
    }
}

impl Drawn for TableEntry {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        Some(Self { table: PageSlot::draw(draw, mode)?, index: draw.more % Self::COUNT })
    }
}

impl Drawn for RawEntry {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let access = RawAccess::Writable;
        Some(match draw.more % 3 {
            0 => Self::Empty,
            1 => Self::Leads { to: RawFrame::Foreign, access },
            _ => Self::Leads { to: RawFrame::Page(PageSlot::draw(draw, mode)?), access },
        })
    }
}

impl Drawn for Root {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        if draw.more.is_multiple_of(4) { Some(Self::Init) } else { MmSlot::draw(draw, mode).map(Self::Mm) }
    }
}

impl Drawn for Count {
    fn draw(draw: &Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self(1 + draw.more % 2))
    }
}

impl Drawn for Level {
    fn draw(draw: &Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self(1 + draw.more % 4))
    }
}

impl Drawn for Token {
    fn draw(draw: &Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self(draw.token))
    }
}

macro_rules! choose {
    ($($(#[$doc:meta])+ $tag:literal $word:literal $name:ident {
        $($field:ident: $kind:ty $(= $mode:ident $(($($role:ident),+))?)?),*
    } $($flag:ident)* => $answers:ident;)+) => {
        /// The operation of a row, with operands that are there; none where one is missing.
        fn choose(row: usize, draw: &Draw<'_>) -> Option<Operation> {
            let mut modes = ROWS[row].operands.iter().map(|operand| operand.mode);
            let mut next = || modes.next().expect("one for each operand");
            Some(match ROWS[row].tag {
                $($tag => Operation::$name { $($field: Drawn::draw(draw, next())?),* },)+
                tag => unreachable!("no row has the tag {tag}"),
            })
        }
    };
}

oracle::for_each_operation!(choose);

impl Belief {
    fn thing(&self, sort: Sort, slot: u8) -> &Thing {
        &self.things[sort as usize][usize::from(slot)]
    }

    fn thing_mut(&mut self, sort: Sort, slot: u8) -> &mut Thing {
        &mut self.things[sort as usize][usize::from(slot)]
    }

    /// Whether a caller may do this with a thing.
    fn may(&self, sort: Sort, slot: u8, mode: Mode) -> bool {
        let thing = self.thing(sort, slot);
        let (is, unused) = (|role| thing.role == Some(role), thing.users == 0);
        !thing.busy
            && match mode {
                Mode::New(_) => thing.role.is_none(),
                Mode::Uses(None) => thing.role.is_some(),
                Mode::Uses(Some(role)) => is(role),
                Mode::Changes(role) => is(role) && !thing.changing,
                Mode::Ends(role) => {
                    // What was lent is mapped nowhere else.
                    let alone = |page| self.thing(Sort::Page, page).users == 1;
                    let lent = thing.takes == Some(Mode::Lends);
                    is(role) && unused && (!lent || thing.made_of.each().all(alone))
                }
                Mode::Becomes(from, _) => is(from) && unused,
                Mode::Maps => is(Role::Plain),
                Mode::Lends => is(Role::Plain) && unused,
                Mode::GivesUp => is(Role::Astray) || is(Role::Plain) && unused,
                Mode::Sizes => false,
            }
    }

    fn begin(&mut self, operation: &Operation) {
        let (mut made, mut pages, mut takes, mut length) = (None, Vec8::default(), None, 0);
        operation.each_use(|Use { named, mode }| match named {
            Named::Thing(sort, slot) => {
                self.begin_one(sort, slot, mode);
                if matches!(mode, Mode::New(_)) {
                    made = Some((sort, slot));
                }
            }
            Named::Pages(list) => {
                for page in list.as_slice() {
                    self.begin_one(Sort::Page, page.number(), mode);
                    pages.0 |= 1 << page.number();
                }
                (takes, length) = (Some(mode), list.len() as u8);
            }
            Named::Length(count) => length = count,
            Named::Nothing => {}
        });
        if let Operation::GupFast { at, .. } | Operation::Gup { at, .. } | Operation::GupForced { at, .. } =
            operation
        {
            length = at.count;
        }
        if let Some((sort, slot)) = made {
            let thing = self.thing_mut(sort, slot);
            (thing.made_of, thing.takes, thing.length) = (pages, takes, length);
        }
    }

    fn begin_one(&mut self, sort: Sort, slot: u8, mode: Mode) {
        let thing = self.thing_mut(sort, slot);
        match mode {
            Mode::New(_) | Mode::Becomes(..) => thing.busy = true,
            Mode::Ends(_) => {
                thing.busy = true;
                let (pages, lent) = (thing.made_of, thing.takes == Some(Mode::Lends));
                pages.each().filter(|_| lent).for_each(|page| self.thing_mut(Sort::Page, page).busy = true);
            }
            Mode::Uses(_) | Mode::Maps => thing.users += 1,
            Mode::Changes(_) => (thing.changing, thing.users) = (true, thing.users + 1),
            Mode::Lends => (thing.busy, thing.users) = (true, thing.users + 1),
            Mode::GivesUp => thing.role = Some(Role::Astray),
            Mode::Sizes => {}
        }
    }

    fn end(&mut self, operation: &Operation) {
        operation.each_use(|Use { named, mode }| match named {
            Named::Thing(sort, slot) => self.end_one(sort, slot, mode),
            Named::Pages(pages) => {
                pages.as_slice().iter().for_each(|page| self.end_one(Sort::Page, page.number(), mode));
            }
            Named::Length(_) | Named::Nothing => {}
        });
    }

    fn end_one(&mut self, sort: Sort, slot: u8, mode: Mode) {
        let thing = self.thing_mut(sort, slot);
        match mode {
            Mode::New(role) | Mode::Becomes(_, role) => (thing.busy, thing.role) = (false, Some(role)),
            Mode::Ends(_) => {
                let Thing { made_of, takes, .. } = core::mem::take(thing);
                for page in made_of.each() {
                    let page = self.thing_mut(Sort::Page, page);
                    if let Some(Mode::Becomes(from, _)) = takes {
                        page.role = Some(from);
                    } else {
                        (page.users, page.busy) = (page.users - 1, false);
                    }
                }
            }
            Mode::Uses(_) => thing.users -= 1,
            Mode::Changes(_) => (thing.changing, thing.users) = (false, thing.users - 1),
            Mode::Lends => thing.busy = false,
            Mode::Maps | Mode::GivesUp | Mode::Sizes => {}
        }
    }
}

/// A row by chance: any as often, but for what makes mappings, and reads and writes them, which come three times as often.
fn often(kind: u8) -> usize {
    let makes_or_uses = |mode: &Option<Mode>| matches!(mode, Some(Mode::Maps | Mode::Uses(None)));
    let rows = || ROWS.iter().enumerate();
    let more = || rows().filter(|(_, row)| row.operands.iter().any(|operand| makes_or_uses(&operand.mode)));
    let count = ROWS.len() + 2 * more().count();
    match usize::from(kind) % count {
        row if row < ROWS.len() => row,
        beyond => more().nth((beyond - ROWS.len()) % more().count()).expect("there are such rows").0,
    }
}

/// A script from random records (CPU, operation, operand, flags); what cannot be told is left out.
pub(crate) fn resolve(records: &[(u8, u8, u8, u8)]) -> Vec<Step> {
    resolve_by(records, often)
}

/// The same, with operations on user memory and on what it needs, and no others.
pub(crate) fn resolve_user(records: &[(u8, u8, u8, u8)]) -> Vec<Step> {
    resolve_by(records, user::often)
}

fn resolve_by(records: &[(u8, u8, u8, u8)], often: fn(u8) -> usize) -> Vec<Step> {
    let mut belief =
        Belief { things: [[Thing::default(); SLOTS as usize]; Sort::ALL.len()], running: [None; CPUS] };
    for slot in 0..INITIAL_PAGES {
        belief.thing_mut(Sort::Page, slot).role = Some(Role::Plain);
    }
    let mut script = Vec::new();
    for (token, &(cpu, kind, operand, flags)) in (1..).zip(records) {
        let cpu = usize::from(cpu) % CPUS;
        if let Some(operation) = belief.running[cpu].take() {
            belief.end(&operation);
            script.push(Step::Continue { cpu });
        }
        let row = often(kind);
        let draw = Draw { belief: &belief, operand, more: flags >> 3, token };
        let Some(operation) = choose(row, &draw) else { continue };
        let paused = flags & 1 == 1;
        belief.begin(&operation);
        if paused {
            belief.running[cpu] = Some(operation);
        } else {
            belief.end(&operation);
        }
        let irqs_off = flags & 0b110 == 0b110 && operation.row().irqs_off;
        script.push(Step::Begin { cpu, call: Call { operation, irqs_off }, paused });
    }
    script.extend((0..CPUS).filter(|&cpu| belief.running[cpu].is_some()).map(|cpu| Step::Continue { cpu }));
    script
}
