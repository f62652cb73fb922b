//! Stories for random search without a fuzzer.
//!
//! Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each story first draws which events exist and how
//! wild it is, so that rare states (a full block, nothing but drains) are common in some stories. On top of the
//! weights, an event often draws what usually follows it: a mapping is touched from another CPU, what was touched
//! is unmapped, what was unmapped is drained or its pages are given away, and a pause is followed by events on other
//! CPUs. No known bug is spelled out here, and none may be.

use impls::Sizes;
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::astray::RawCall;
use oracle::vocabulary::{Call, Mapping, Operation, PageSlot};

use super::dice::Dice;
use super::draw::{self, Draw, USUAL};
use super::follow::{
    MEANWHILE, during, follows, goes_on, held_next, is_short, is_to_build_upon, makes_mapping, subject,
};
use super::pauses;
use super::swarm::Swarm;
use super::{Action, Backends, Event, Header, MAX_CPUS, ResolvedAction, State, Story, Tag, Told, Verb};

/// The most events of a story that is generated.
const MAX_EVENTS: usize = 64;

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
        if into.header.cpus > 1 {
            swarm = match dice.below(100) {
                0..19 => swarm.about_two(dice),
                19..23 => swarm.about_contention(dice, self.backends),
                _ => swarm,
            };
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
        if makes_mapping(tag) && held >= swarm.mappings {
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
        let holds = swarm.contention.filter(|contention| contention.holders.contains(&tag) && !paused);
        let often = match tag {
            Tag::Deliver => 4,
            _ if is_short(tag) => 2,
            _ => 1,
        };
        if let Some(pause) = wish.and_then(|wish| wish.pause).filter(|_| event.action.takes_pause()) {
            event.pause = Some(pause);
        } else if let Some(contention) = holds.filter(|_| draw.dice.percent(60)) {
            event.pause = Some(contention.hold(draw.dice, header.cpus));
        } else if event.action.takes_pause() && draw.dice.percent(swarm.pauses(tag) * often) {
            event.pause = Some(match so_far.held {
                // Handlers are short.
                _ if tag == Tag::Deliver => Pause::At(draw.dice.between(1, 11) as u16),
                Some(lock) if draw.dice.percent(20) => pauses::wait_for(lock),
                _ => pauses::draw(draw.dice, tag, swarm.depth, if is_short(tag) { 50 } else { 12 }),
            });
        }
        Some(event)
    }

    /// What usually follows this event.
    fn wish(&mut self, told: &Told, cpus: u8, swarm: &Swarm) {
        let dice = &mut self.dice;
        let other = draw::other_cpu(dice, told.cpu, cpus);
        let any = if dice.percent(50) { told.cpu } else { other };
        let (wishes, mut pause) = match told.action {
            _ if told.pause.is_some() && told.nest > 0 => while_held_up(dice, told, other, swarm),
            ResolvedAction::Call(call) if swarm.is_about_all() => {
                let next = follows(dice, &call.operation, swarm.dma, (any, other));
                ([next, None, None], held_next(dice, &call.operation, next))
            }
            _ => return,
        };
        let about = subject(told);
        for (tag, cpu) in wishes.into_iter().flatten() {
            if self.wishes.len() < MAX_WISHES {
                self.wishes.push(Wish { tag, cpu, about, pause: pause.take() });
            }
        }
    }
}

/// What goes well with an event that is held up, on another CPU, and by what it is let go on. With it, where the first of
/// that is held up itself.
fn while_held_up(
    dice: &mut Dice,
    told: &Told,
    other: u8,
    swarm: &Swarm,
) -> ([Option<(Tag, u8)>; 3], Option<Pause>) {
    let (first, pause) = meets(dice, told, swarm);
    let unmaps = matches!(first, Tag::Vunmap | Tag::UnmapRam);
    let second = if unmaps && dice.percent(30) {
        // What was unmapped is given away, by whoever unmapped it.
        Some(Tag::FreePage)
    } else if matches!(told.action, ResolvedAction::Call(Call { operation: Operation::Mm(_), .. })) {
        // A mapping shows what has become of address spaces.
        Some(dice.pick(&[Tag::Vmap, Tag::Vmap, Tag::MapRam, Tag::Fill]))
    } else {
        dice.percent(40).then(|| dice.pick(&MEANWHILE))
    };
    let last = dice.percent(70).then(|| goes_on(dice, told, first));
    let wishes = [Some((first, other)), second.map(|tag| (tag, other)), last.map(|tag| (tag, told.cpu))];
    (wishes, pause)
}

/// What an event meets that is held up, and where that is held up itself.
fn meets(dice: &mut Dice, told: &Told, swarm: &Swarm) -> (Tag, Option<Pause>) {
    if let ResolvedAction::Call(call) = told.action
        && let Some(mate) = swarm.mate(Verb::of(&call.operation).tag())
    {
        return (mate, None);
    }
    if let Some(contention) = swarm.contention.filter(|contention| contention.is_held(told.pause)) {
        return contention.taker(dice);
    }
    let waiters = pauses::waiters(told.pause);
    if pauses::holds_interrupts(told.pause) && dice.percent(if waiters.is_empty() { 95 } else { 60 }) {
        return (Tag::Deliver, pauses::in_handler(dice, told.pause).filter(|_| dice.percent(60)));
    }
    if !waiters.is_empty() && dice.percent(60) {
        // It comes to wait, and is left there.
        let pause = pauses::wait_there(told.pause).filter(|_| dice.percent(75));
        return (dice.pick(waiters), pause);
    }
    let ResolvedAction::Call(call) = told.action else { return (dice.pick(&MEANWHILE), None) };
    if pauses::holds_lock(told.pause) && dice.percent(50) {
        // What is like it wants the same locks.
        return (Verb::of(&call.operation).tag(), None);
    }
    if swarm.mms && !matches!(call.operation, Operation::Mm(_)) && dice.percent(25) {
        return (dice.pick(&[Tag::NewMm, Tag::SwitchMm, Tag::DropMm, Tag::DropMm]), None);
    }
    let first = during(dice, &call.operation).unwrap_or_else(|| dice.pick(&MEANWHILE));
    let exchanges = matches!(first, Tag::HvExchange | Tag::DmaAlloc | Tag::DmaAllocWide | Tag::DmaFree)
        && dice.percent(60);
    (first, exchanges.then(|| pauses::half_exchanged(dice)))
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
