//! Stories for random search without a fuzzer.
//!
//! Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each story first draws which events exist and how
//! wild it is, so that rare states (a full block, nothing but drains) are common in some stories. On top of the
//! weights, an event often draws what usually follows it: a mapping is touched from another CPU, what was touched
//! is unmapped, what was unmapped is drained or its pages are given away, and a pause is followed by events on other
//! CPUs. No known bug is spelled out here, and none may be.

use impls::Sizes;
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::astray::{RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{Call, Mapping, MemoryType, MmCall, Operation, Owned, PageSlot};

use super::dice::Dice;
use super::draw::{self, ABOUT_DMA, ABOUT_MMS, Draw, USUAL};
use super::{Action, Backends, Event, Header, MAX_CPUS, ResolvedAction, State, Story, Tag, Told, Verb};

/// The most events of a story that is generated.
pub const MAX_EVENTS: usize = 64;

/// Generates stories, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Generator {
    dice: Dice,
    backends: Backends,
    /// Each story draws its designs too.
    any_designs: bool,
    /// What is to follow, the oldest first; at most [`MAX_WISHES`].
    wishes: Vec<Wish>,
}

const MAX_WISHES: usize = 8;

/// An event that would go well with what was told before.
#[derive(Clone, Copy, Debug)]
struct Wish {
    tag: Tag,
    cpu: u8,
    about: Option<Mapping>,
    /// Where it is to stop, if it can.
    pause: Option<Pause>,
}

/// What is drawn once for a whole story.
#[derive(Clone, Debug)]
struct Swarm {
    weights: [usize; USUAL.len()],
    /// It knows of buffers for DMA.
    dma: bool,
    /// It knows of address spaces.
    mms: bool,
    /// In percent: how often an event that can pause does.
    pauses: usize,
    /// The mean number of points before a pause.
    depth: usize,
    /// Two operations that are to be under way at once, if the story is about that.
    pair: Option<(Tag, Tag)>,
    /// In percent: how often a wish is granted before another event is drawn.
    follow: usize,
    /// In percent: how often an event stays on the CPU of the one before.
    stay: usize,
    /// In percent: how often an event is of the same kind as the one before.
    repeat: usize,
    /// In percent: how often callers disable interrupts.
    irqs_off: usize,
    /// So many mappings are held at once.
    mappings: usize,
}

/// What the story told so far.
#[derive(Clone, Debug, Default)]
struct SoFar {
    /// The kind and the CPU of the last event.
    last: Option<(Tag, u8)>,
    /// The mapping that it is about just now.
    focus: Option<Mapping>,
    /// The page that was mapped last.
    mapped: Option<PageSlot>,
    /// The raw hypercall to build upon.
    astray: Option<RawCall>,
    /// Something was unmapped, and not drained since.
    aliases: bool,
    /// Some CPU was paused before it lets go of this lock, if it is one.
    held: Option<Family>,
}

impl SoFar {
    fn take_note(&mut self, event: &Event, told: &Told) {
        self.last = Some((event.action.tag(), event.cpu));
        self.focus = subject(told).or(self.focus);
        if let ResolvedAction::Call(Call { operation, .. }) = told.action {
            match operation {
                Operation::Vmap { pages, .. } | Operation::MapRam { pages, .. } => {
                    self.mapped = pages.as_slice().first().copied();
                }
                Operation::Raw(call) if is_to_build_upon(call) => self.astray = Some(call),
                _ => {}
            }
        }
        if let Some(Pause::Before { point: Point { kind: PointKind::Store, family }, .. }) = told.pause {
            self.held = Some(family);
        }
        match event.action.tag() {
            Tag::Vunmap | Tag::UnmapRam | Tag::Vfree => self.aliases = true,
            Tag::DrainAliases if told.pause.is_none() => self.aliases = false,
            _ => {}
        }
    }

    /// Whether an event of this kind would find nothing to do, as far as can be told.
    fn is_idle(&self, tag: Tag, paused: bool) -> bool {
        match tag {
            Tag::DrainAliases | Tag::RunWork => !self.aliases,
            Tag::Deliver | Tag::Continue => !paused,
            _ => false,
        }
    }
}

impl Generator {
    /// A generator of stories for every backend.
    pub fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            backends: Backends::all(),
            any_designs: false,
            wishes: Vec::with_capacity(MAX_WISHES),
        }
    }

    /// The same for these backends only.
    #[must_use]
    pub fn with_backends(mut self, backends: Backends) -> Self {
        self.backends = backends;
        self
    }

    /// The same, each story with a combination of designs of its own: any that is correct on these backends.
    #[must_use]
    pub fn with_any_designs(mut self) -> Self {
        self.any_designs = true;
        self
    }

    /// Generates the next story, into memory that is used again. It has at least one event.
    pub fn next(&mut self, into: &mut Story) {
        into.events.clear();
        // A swarm of events that find nothing to do tells no story.
        while into.events.is_empty() {
            self.tell(into);
        }
    }

    fn tell(&mut self, into: &mut Story) {
        let dice = &mut self.dice;
        into.header = header(dice, self.backends);
        if self.any_designs {
            into.header.designs = draw::designs(dice, self.backends);
        }
        let mut swarm = Swarm::draw(dice, into.header);
        if into.header.cpus > 1 && dice.percent(15) {
            swarm = swarm.about_two(dice);
        }
        let length = length(dice);
        self.wishes.clear();
        let mut state = State::new(&into.header);
        let mut so_far = SoFar::default();
        // An event that can only be void is drawn again; a story that finds no other stays short.
        for _ in 0..32 + length * 4 {
            if into.events.len() == length {
                break;
            }
            let Some(event) = self.event(into.header, &swarm, &state, &so_far) else {
                continue;
            };
            let told = state.tell(into.events.len() as u16, &event);
            if told.is_void() && !self.dice.percent(5) {
                continue;
            }
            into.events.push(event);
            so_far.take_note(&event, &told);
            self.wish(&told, into.header.cpus, &swarm);
        }
    }

    fn event(&mut self, header: Header, swarm: &Swarm, state: &State, so_far: &SoFar) -> Option<Event> {
        let slots = state.slots();
        let dice = &mut self.dice;
        let wish = (!self.wishes.is_empty() && dice.percent(swarm.follow)).then(|| self.wishes.remove(0));
        let focus = wish.and_then(|wish| wish.about).or(so_far.focus);
        let mut draw = Draw {
            dice,
            cpus: header.cpus,
            slots,
            focus,
            mapped: so_far.mapped,
            astray: so_far.astray,
            irqs_off: swarm.irqs_off,
        };
        let (tag, cpu) = if let Some(wish) = wish {
            (wish.tag, wish.cpu)
        } else {
            let tag = match so_far.last {
                Some((tag, _)) if tag != Tag::Continue && draw.dice.percent(swarm.repeat) => tag,
                _ => USUAL[draw.dice.weighted(&swarm.weights)].0,
            };
            let cpu = match so_far.last {
                Some((_, cpu)) if draw.dice.percent(swarm.stay) => cpu,
                _ => draw.cpu(),
            };
            (tag, cpu)
        };
        let paused = (0..header.cpus).any(|cpu| state.nest(cpu) > 0);
        if wish.is_none() && so_far.is_idle(tag, paused) && !draw.dice.percent(10) {
            return None;
        }
        let held = slots.areas.live.len() + slots.rams.live.len() + slots.buffers.live.len();
        if matches!(tag, Tag::Vmap | Tag::MapRam | Tag::DmaAlloc | Tag::Vmalloc | Tag::VmallocHuge)
            && held >= swarm.mappings
        {
            return None;
        }
        // Whoever finds nobody to meet waits for a better moment.
        if let Some(mate) = swarm.mate(tag)
            && draw.dice.percent(80)
        {
            draw.event(mate, cpu)?;
        }
        let mut event = draw.event(tag, cpu)?;
        if wish.is_none() {
            event.cpu = seat(&mut draw, state, &event);
        }
        let often = match tag {
            Tag::Deliver => 4,
            _ if is_short(tag) => 2,
            _ => 1,
        };
        if let Some(pause) = wish.and_then(|wish| wish.pause).filter(|_| event.action.takes_pause()) {
            event.pause = Some(pause);
        } else if event.action.takes_pause() && draw.dice.percent(swarm.pauses(tag) * often) {
            event.pause = Some(match so_far.held {
                // Handlers are short.
                _ if tag == Tag::Deliver => Pause::At(draw.dice.between(1, 11) as u16),
                Some(lock) if draw.dice.percent(20) => draw::wait_for(lock),
                _ => draw::pause(draw.dice, tag, swarm.depth, if is_short(tag) { 50 } else { 12 }),
            });
        }
        Some(event)
    }

    /// What usually follows this event.
    fn wish(&mut self, told: &Told, cpus: u8, swarm: &Swarm) {
        let cpu = told.cpu;
        let dice = &mut self.dice;
        let step = if cpus > 1 { dice.between(1, usize::from(cpus) - 1) as u8 } else { 0 };
        let other = (cpu + step) % cpus;
        let any = if dice.percent(50) { cpu } else { other };
        let about = subject(told);
        let mut wishes: [Option<(Tag, u8)>; 3] = [None; 3];
        let mut pause = None;
        if told.pause.is_some() && told.nest > 0 {
            let waiters = draw::waiters(told.pause);
            let mate = match told.action {
                ResolvedAction::Call(call) => swarm.mate(Verb::of(&call.operation).tag()),
                _ => None,
            };
            let first = match told.action {
                _ if mate.is_some() => mate.unwrap_or(Tag::Continue),
                _ if draw::holds_interrupts(told.pause)
                    && dice.percent(if waiters.is_empty() { 95 } else { 60 }) =>
                {
                    pause = draw::in_handler(dice, told.pause).filter(|_| dice.percent(40));
                    Tag::Deliver
                }
                // It comes to wait, and is left there.
                _ if !waiters.is_empty() && dice.percent(60) => {
                    pause = draw::wait_there(told.pause).filter(|_| dice.percent(60));
                    dice.pick(waiters)
                }
                // What is like it wants the same locks.
                ResolvedAction::Call(call) if draw::holds_lock(told.pause) && dice.percent(50) => {
                    Verb::of(&call.operation).tag()
                }
                ResolvedAction::Call(call)
                    if swarm.mms && !matches!(call.operation, Operation::Mm(_)) && dice.percent(25) =>
                {
                    dice.pick(&[Tag::NewMm, Tag::SwitchMm, Tag::DropMm, Tag::DropMm])
                }
                ResolvedAction::Call(call) => {
                    let first = during(dice, &call.operation).unwrap_or_else(|| dice.pick(&MEANWHILE));
                    if matches!(first, Tag::HvExchange | Tag::DmaAlloc | Tag::DmaFree) && dice.percent(60) {
                        pause = Some(draw::half_exchanged(dice));
                    }
                    first
                }
                _ => dice.pick(&MEANWHILE),
            };
            wishes[0] = Some((first, other));
            // What was unmapped is given away, by whoever unmapped it.
            let unmaps = matches!(first, Tag::Vunmap | Tag::UnmapRam);
            if unmaps && dice.percent(30) {
                wishes[1] = Some((Tag::FreePage, other));
            } else if matches!(told.action, ResolvedAction::Call(Call { operation: Operation::Mm(_), .. })) {
                // A mapping shows what has become of address spaces.
                wishes[1] = Some((dice.pick(&[Tag::Vmap, Tag::Vmap, Tag::MapRam, Tag::Fill]), other));
            } else if dice.percent(40) {
                wishes[1] = Some((dice.pick(&MEANWHILE), other));
            }
            if dice.percent(70) {
                let last = goes_on(dice, told, first);
                wishes[2] = Some((last, cpu));
            }
        } else if let ResolvedAction::Call(call) = told.action
            && swarm.pair.is_none()
        {
            wishes[0] = follows(dice, &call.operation, swarm.dma, (any, other));
            pause = held_next(dice, &call.operation, wishes[0]);
        }
        for (tag, cpu) in wishes.into_iter().flatten() {
            if self.wishes.len() < MAX_WISHES {
                self.wishes.push(Wish { tag, cpu, about, pause: pause.take() });
            }
        }
    }
}

/// What usually follows an operation, on any CPU or on another one.
fn follows(dice: &mut Dice, operation: &Operation, dma: bool, (any, other): (u8, u8)) -> Option<(Tag, u8)> {
    match *operation {
        Operation::Vmap { .. } | Operation::MapRam { .. } => {
            const NEXT: [Tag; 9] = [
                Tag::Read,
                Tag::Read,
                Tag::Read,
                Tag::Read,
                Tag::Write,
                Tag::Write,
                Tag::Fill,
                Tag::Fill,
                Tag::HvFlush,
            ];
            Some((dice.pick(&NEXT), other))
        }
        Operation::Read { place } | Operation::Write { place, .. } => {
            let unmap = match place.mapping {
                Mapping::Area(_) => Tag::Vunmap,
                Mapping::Ram(_) => Tag::UnmapRam,
                Mapping::Buffer(_) => Tag::DmaFree,
            };
            Some((unmap, any))
        }
        Operation::Vunmap { .. } | Operation::UnmapRam { .. } => {
            const NEXT: [Tag; 10] = [
                Tag::DrainAliases,
                Tag::DrainAliases,
                Tag::Vmap,
                Tag::MapRam,
                Tag::FreePage,
                Tag::MakeTable,
                Tag::MakeTable,
                Tag::PinTree,
                Tag::Fill,
                Tag::DmaAlloc,
            ];
            Some((dice.pick(&NEXT), any)).filter(|(tag, _)| dma || *tag != Tag::DmaAlloc)
        }
        Operation::DmaAlloc { .. } => {
            const NEXT: [Tag; 6] =
                [Tag::Write, Tag::DeviceRead, Tag::DeviceWrite, Tag::Read, Tag::Touch, Tag::DmaFree];
            Some((dice.pick(&NEXT), other))
        }
        Operation::DmaFree { .. } => Some((dice.pick(&[Tag::DmaAlloc, Tag::Touch, Tag::DrainAliases]), any)),
        Operation::DeviceRead { .. } => Some((Tag::Write, any)),
        Operation::DeviceWrite { .. } => Some((Tag::Read, any)),
        Operation::DrainAliases => Some((dice.pick(&[Tag::Vmap, Tag::MapRam, Tag::MakeTable]), any)),
        Operation::FreePage { .. } => Some((Tag::AllocPage, any)),
        Operation::AllocPage { .. } => Some((dice.pick(&[Tag::MakeTable, Tag::Vmap, Tag::MapRam]), any)),
        Operation::MakeTable { .. } => Some((Tag::UnmakeTable, any)),
        Operation::PinTree { .. } => Some((Tag::UnpinTree, any)),
        Operation::SetPageFlag { .. } | Operation::TrackAliases => {
            Some((dice.pick(&[Tag::Vmap, Tag::MapRam, Tag::MakeTable]), any))
        }
        Operation::UnmakeTable { .. } | Operation::UnpinTree { .. } => None,
        Operation::Raw(call) => after_raw(dice, call).map(|tag| (tag, any)),
        Operation::Owned(owned) => Some(after_owned(dice, owned, any, other)),
        Operation::Mm(call) => Some(after_mm(dice, call, any, other)),
    }
}

/// What usually follows an operation on an address space.
fn after_mm(dice: &mut Dice, call: MmCall, any: u8, other: u8) -> (Tag, u8) {
    use Tag::{DrainAliases, DropMm, Fill, MapRam, NewMm, Read, SwitchMm, Vmap, Vunmap};
    match call {
        MmCall::New { .. } => (SwitchMm, any),
        MmCall::Switch { .. } => {
            let next = [Vmap, MapRam, Vunmap, Read, Fill, DropMm, SwitchMm, SwitchMm];
            (dice.pick(&next), any)
        }
        MmCall::Drop { .. } => (dice.pick(&[NewMm, Vmap, Vmap, Fill, DrainAliases]), other),
    }
}

/// What usually follows an operation on an area that owns its pages.
fn after_owned(dice: &mut Dice, owned: Owned, any: u8, other: u8) -> (Tag, u8) {
    use Tag::{
        DrainAliases, Exec, SetMemoryRo, SetMemoryRox, SetMemoryRw, SetMemoryWb, SetMemoryWc, Vfree, Vmalloc,
        VmallocHuge, WriteDirect,
    };
    match owned {
        Owned::Vmalloc { .. } => {
            let next = [
                WriteDirect,
                Tag::Write,
                SetMemoryRox,
                SetMemoryRox,
                SetMemoryRo,
                SetMemoryWc,
                SetMemoryWc,
                Vfree,
            ];
            (dice.pick(&next), if dice.percent(50) { any } else { other })
        }
        Owned::SetMemory { access, .. } if access.executes() => {
            (dice.pick(&[Exec, Vfree, SetMemoryRw]), other)
        }
        Owned::SetMemory { .. } => (dice.pick(&[Tag::Write, WriteDirect, Vfree, SetMemoryRox]), other),
        Owned::SetMemoryType { memory_type: MemoryType::WriteCombining, .. } => {
            (dice.pick(&[SetMemoryWb, SetMemoryWb, Vfree, Tag::Write, WriteDirect]), other)
        }
        Owned::SetMemoryType { .. } => (dice.pick(&[SetMemoryWc, Vfree, Tag::Write]), other),
        Owned::Vfree { .. } => (dice.pick(&[Vmalloc, Vmalloc, VmallocHuge, DrainAliases]), any),
        Owned::Exec { .. } => (dice.pick(&[Vfree, SetMemoryRw]), other),
        Owned::ReadDirect { .. } | Owned::WriteDirect { .. } => {
            (dice.pick(&[SetMemoryRo, SetMemoryRox, SetMemoryWc, Vfree]), other)
        }
    }
}

/// Whether it is a hypercall of a caller's own: short, and with few places where others matter.
const fn is_raw(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::HvUpdate
            | Tag::HvPin
            | Tag::HvUnpin
            | Tag::HvWrite
            | Tag::HvFlush
            | Tag::HvExchange
            | Tag::HvUpdateVa
    )
}

/// Whether it has few points, and of those few where others matter.
const fn is_short(tag: Tag) -> bool {
    is_raw(tag) || matches!(tag, Tag::SwitchMm)
}

/// What happens while an operation is paused.
const MEANWHILE: [Tag; 12] = [
    Tag::DrainAliases,
    Tag::DrainAliases,
    Tag::Deliver,
    Tag::Deliver,
    Tag::Fill,
    Tag::Fill,
    Tag::Read,
    Tag::Vunmap,
    Tag::UnmapRam,
    Tag::Vmap,
    Tag::MapRam,
    Tag::RunWork,
];

/// By what a paused operation is let go on: what begins something on its CPU does so too.
fn goes_on(dice: &mut Dice, told: &Told, meanwhile: Tag) -> Tag {
    let unmaps =
        |call: &Call| matches!(call.operation, Operation::Vunmap { .. } | Operation::UnmapRam { .. });
    let unmapped = matches!(meanwhile, Tag::Vunmap | Tag::UnmapRam)
        || matches!(&told.action, ResolvedAction::Call(call) if unmaps(call));
    if unmapped && dice.percent(40) { Tag::MakeTable } else { Tag::Continue }
}

/// What goes well with an operation that is paused, more than with others.
fn during(dice: &mut Dice, operation: &Operation) -> Option<Tag> {
    match operation {
        Operation::MakeTable { .. } | Operation::PinTree { .. } if dice.percent(40) => {
            Some(dice.pick(&[Tag::Vunmap, Tag::UnmapRam]))
        }
        Operation::Raw(RawCall::Update { .. }) if dice.percent(80) => {
            Some(dice.pick(&[Tag::HvPin, Tag::HvPin, Tag::HvPin, Tag::HvWrite, Tag::HvFlush]))
        }
        Operation::Raw(RawCall::Exchange { .. }) if dice.percent(80) => Some(dice.pick(&[
            Tag::HvUpdate,
            Tag::HvUpdate,
            Tag::HvExchange,
            Tag::HvExchange,
            Tag::HvExchange,
        ])),
        Operation::Raw(RawCall::UpdateVa { .. }) if dice.percent(80) => Some(Tag::HvUpdate),
        Operation::DmaAlloc { .. } | Operation::DmaFree { .. } if dice.percent(40) => {
            Some(dice.pick(&[Tag::DmaAlloc, Tag::DmaFree]))
        }
        Operation::Raw(RawCall::Flush) if dice.percent(60) => {
            Some(dice.pick(&[Tag::Vunmap, Tag::UnmapRam, Tag::Vunmap, Tag::UnmapRam, Tag::HvUpdate]))
        }
        Operation::Vunmap { .. } | Operation::UnmapRam { .. } if dice.percent(25) => Some(Tag::HvFlush),
        Operation::Mm(MmCall::Switch { .. }) if dice.percent(70) => Some(Tag::DropMm),
        Operation::Mm(_) if dice.percent(70) => {
            Some(dice.pick(&[Tag::Vmap, Tag::Vmap, Tag::MapRam, Tag::Vunmap, Tag::DrainAliases]))
        }
        _ => None,
    }
}

/// Where what follows is held up now and then: half done, or before the entry that it changes.
fn held_next(dice: &mut Dice, operation: &Operation, next: Option<(Tag, u8)>) -> Option<Pause> {
    let (often, pause) = match (operation, next?.0) {
        (_, Tag::HvExchange) => (40, draw::BEFORE_REFERENCE),
        (Operation::Vmap { .. } | Operation::MapRam { .. }, Tag::HvFlush) => (70, draw::BEFORE_TICK),
        (Operation::Raw(RawCall::Update { .. }), Tag::HvUpdate) => (35, draw::BEFORE_ENTRY),
        (Operation::Read { .. } | Operation::Write { .. }, Tag::Vunmap | Tag::UnmapRam) => {
            (8, draw::BEFORE_ENTRY)
        }
        _ => return None,
    };
    dice.percent(often).then_some(pause)
}

/// What usually follows a raw hypercall.
fn after_raw(dice: &mut Dice, call: RawCall) -> Option<Tag> {
    match call {
        RawCall::Pin { .. } => {
            const NEXT: [Tag; 7] = [
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvExchange,
                Tag::HvUpdateVa,
            ];
            Some(dice.pick(&NEXT))
        }
        RawCall::Write { .. } | RawCall::Unpin { .. } => Some(Tag::HvUpdate),
        RawCall::UpdateVa { .. } => Some(dice.pick(&[Tag::HvUpdate, Tag::HvWrite, Tag::HvUnpin])),
        RawCall::Exchange { .. } => Some(dice.pick(&[Tag::HvUpdate, Tag::Touch])),
        RawCall::Update { .. } => {
            const NEXT: [Tag; 7] = [
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvWrite,
                Tag::HvUpdate,
                Tag::HvUpdate,
                Tag::HvPin,
                Tag::HvUpdateVa,
            ];
            Some(dice.pick(&NEXT))
        }
        RawCall::Flush => None,
    }
}

/// Whether a raw hypercall made something that others can be about.
const fn is_to_build_upon(call: RawCall) -> bool {
    matches!(
        call,
        RawCall::Pin { .. }
            | RawCall::Exchange { .. }
            | RawCall::Update { entry: RawEntry::Leads { to: RawFrame::Page(_), .. }, .. }
    )
}

/// The mapping that an event is about.
fn subject(told: &Told) -> Option<Mapping> {
    match told.action {
        ResolvedAction::Fill { place } => Some(place.mapping),
        ResolvedAction::Call(call) => match call.operation {
            Operation::Vmap { area, .. } | Operation::Vunmap { area } => Some(Mapping::Area(area)),
            Operation::MapRam { ram, .. } | Operation::UnmapRam { ram } => Some(Mapping::Ram(ram)),
            Operation::Read { place } | Operation::Write { place, .. } => Some(place.mapping),
            Operation::DmaAlloc { buffer, .. }
            | Operation::DmaFree { buffer }
            | Operation::DeviceRead { buffer, .. }
            | Operation::DeviceWrite { buffer, .. } => Some(Mapping::Buffer(buffer)),
            Operation::Owned(owned) => {
                owned.area().map(Mapping::Area).or_else(|| owned.place().map(|place| place.mapping))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The CPU for an event: `continue` goes where something is paused, and what would end a pause mostly elsewhere.
fn seat(draw: &mut Draw<'_>, state: &State, event: &Event) -> u8 {
    let paused = |cpu: &u8| state.nest(*cpu) > 0;
    let wanted = match event.action {
        Action::Continue => !paused(&event.cpu),
        _ => event.action.begins() && paused(&event.cpu) && draw.dice.percent(80),
    };
    if !wanted {
        return event.cpu;
    }
    let fits = |cpu: &u8| paused(cpu) == (event.action == Action::Continue);
    let start = draw.cpu();
    let around = (0..draw.cpus).map(|step| (start + step) % draw.cpus);
    around.into_iter().find(fits).unwrap_or(event.cpu)
}

fn header(dice: &mut Dice, backends: Backends) -> Header {
    let cpus = dice.weighted(&[8, 58, 24, 10]) as u8 + 1;
    let mut temperament = Temperament::empty();
    if dice.percent(80) {
        for flag in Temperament::all().iter() {
            temperament.set(flag, dice.percent(50));
        }
    }
    let sizes = [Sizes::Tiny, Sizes::Small, Sizes::Real][dice.weighted(&[850, 142, 8])];
    Header { cpus: cpus.min(MAX_CPUS), temperament, sizes, backends, ..Header::default() }
}

fn length(dice: &mut Dice) -> usize {
    let (low, high) = [(4, 8), (8, 16), (16, 32), (32, MAX_EVENTS)][dice.weighted(&[25, 50, 20, 5])];
    dice.between(low, high)
}

/// Whether an event is about areas that own their pages.
fn is_special(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Vmalloc | Tag::VmallocHuge | Tag::Vfree | Tag::Exec | Tag::ReadDirect | Tag::WriteDirect
    ) || tag.access().is_some()
        || tag.memory_type().is_some()
}

/// Whom an event needs before it, if it is to find anything.
const fn needs(tag: Tag) -> Option<Tag> {
    Some(match tag {
        Tag::Vunmap | Tag::Read | Tag::Write => Tag::Vmap,
        Tag::UnmapRam => Tag::MapRam,
        Tag::UnmakeTable => Tag::MakeTable,
        Tag::UnpinTree => Tag::PinTree,
        Tag::DmaFree | Tag::DeviceRead | Tag::DeviceWrite => Tag::DmaAlloc,
        Tag::HvUnpin | Tag::HvWrite => Tag::HvUpdate,
        Tag::SetMemoryRo
        | Tag::SetMemoryRox
        | Tag::SetMemoryRw
        | Tag::Vfree
        | Tag::Exec
        | Tag::ReadDirect
        | Tag::WriteDirect => Tag::Vmalloc,
        Tag::SwitchMm | Tag::DropMm => Tag::NewMm,
        _ => return None,
    })
}

impl Swarm {
    /// Whom an event of this kind should meet, if the story is about that.
    fn mate(&self, tag: Tag) -> Option<Tag> {
        let (one, other) = self.pair?;
        match tag {
            _ if tag == one => Some(other),
            _ if tag == other => Some(one),
            _ => None,
        }
    }

    /// In percent: how often an event of this kind is held up, if it can be.
    fn pauses(&self, tag: Tag) -> usize {
        if self.mate(tag).is_some() { 60 } else { self.pauses }
    }

    /// The same for a story about two operations that are under way at once, whichever: each two are to meet, however
    /// seldom each is told elsewhere.
    fn about_two(mut self, dice: &mut Dice) -> Self {
        let calls = || USUAL.iter().map(|(tag, _)| *tag).filter(|tag| tag.is_call());
        let mut any = || calls().nth(dice.below(calls().count())).unwrap_or(Tag::Vmap);
        let (one, other) = (any(), any());
        for (weight, (tag, usual)) in self.weights.iter_mut().zip(USUAL) {
            let sought = [Some(one), Some(other), needs(one), needs(other)].contains(&Some(tag));
            *weight = if sought { 60 } else { usual.min(2) };
        }
        Self {
            pair: Some((one, other)),
            dma: true,
            mms: [one, other].iter().any(|tag| ABOUT_MMS.contains(tag)),
            pauses: 5,
            depth: dice.pick(&[1, 2, 4, 12]),
            follow: 90,
            repeat: 0,
            mappings: self.mappings.max(4),
            ..self
        }
    }

    fn draw(dice: &mut Dice, header: Header) -> Self {
        let mut weights = draw::USUAL_WEIGHTS;
        // Permissions are a subject of their own: most stories leave them alone.
        let special = dice.percent(23);
        for (weight, (tag, _)) in weights.iter_mut().zip(USUAL) {
            *weight *= [0, 1, 2, 6][dice.weighted(&[25, 35, 25, 15])];
            if !special && is_special(tag) {
                *weight = 0;
            }
            if tag == Tag::DrainStores && !header.temperament.contains(Temperament::LAZY_STORES) {
                *weight = 0;
            }
        }
        let mms = dice.percent(30);
        for (weight, _) in
            weights.iter_mut().zip(USUAL).filter(|(_, (tag, _))| !mms && ABOUT_MMS.contains(tag))
        {
            *weight = 0;
        }
        let dma = dice.percent(35);
        for (weight, _) in
            weights.iter_mut().zip(USUAL).filter(|(_, (tag, _))| !dma && ABOUT_DMA.contains(tag))
        {
            *weight = 0;
        }
        // Guests seldom go astray; to flush is no harm.
        if !dice.percent(18) {
            for (weight, (tag, _)) in weights.iter_mut().zip(USUAL) {
                if is_raw(tag) && tag != Tag::HvFlush {
                    *weight = 0;
                }
            }
        }
        // Without a mapping there is little to tell.
        if weights[2] + weights[4] == 0 {
            weights[2 + 2 * dice.below(2)] = 8;
        }
        let roomy = header.sizes != Sizes::Tiny;
        Self {
            weights,
            dma,
            pair: None,
            mms,
            pauses: dice.pick(&[0, 10, 25, 25, 45]),
            depth: dice.pick(&[3, 8, 20, 40]),
            follow: dice.pick(&[0, 30, 60, 80]),
            stay: dice.pick(&[0, 30, 60]),
            repeat: dice.pick(&[0, 0, 20, 50]),
            irqs_off: dice.pick(&[0, 0, 10, 50]),
            mappings: dice.between(2, if roomy { 14 } else { 6 }),
        }
    }
}
