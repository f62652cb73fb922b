//! Stories for random search without a fuzzer.
//!
//! Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each story first draws which events exist and how
//! wild it is, so that rare states (a full block, nothing but drains) are common in some stories. On top of the
//! weights, an event often draws what usually follows it: a mapping is touched from another CPU, what was touched
//! is unmapped, what was unmapped is drained or its pages are given away, and a pause is followed by events on other
//! CPUs. No known bug is spelled out here, and none may be.

use impls::Sizes;
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::{Call, Mapping, Mode, Named, PageSlot, Sort, Use};

use crate::tactics::astray::Astray;
use crate::tactics::user_memory::UserMemory;
use crate::tactics::{self, EVENTS, Subject, kin, pauses, user};

use super::dice::Dice;
use super::draw::{self, Draw, Why};
use super::swarm::Swarm;
use super::wishes::{Wishes, subject};
use super::{Action, Backends, Event, Header, MAX_CPUS, ResolvedAction, State, Story, Tag, Told};

/// The most events of a story that is generated.
const MAX_EVENTS: usize = 64;

/// Generates stories, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Generator {
    dice: Dice,
    backends: Backends,
    /// Each story draws its designs too.
    any_designs: bool,
    wishes: Wishes,
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
    astray: Astray,
    user: UserMemory,
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
            operation.each_use(|Use { named, mode }| match (named, mode) {
                (Named::Pages(pages), Mode::Maps) => self.mapped = pages.as_slice().first().copied(),
                (Named::Thing(Sort::Area | Sort::Ram, _), Mode::Ends(_)) => self.aliases = true,
                _ => {}
            });
            self.astray.take_note(&operation);
        }
        self.user.take_note(&told.action);
        if let Some(Pause::Before { point: Point { kind: PointKind::Store, family }, .. }) = told.pause {
            self.held = Some(family);
        }
        if tactics::of(event.action.tag()).drains && told.pause.is_none() {
            self.aliases = false;
        }
    }

    /// Whether an event of this kind would find nothing to do, as far as can be told.
    fn is_idle(&self, tag: Tag, paused: bool) -> bool {
        match tag {
            Tag::Deliver | Tag::Continue => !paused,
            _ => tactics::of(tag).needs_aliases && !self.aliases,
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
            wishes: Wishes::default(),
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
                23..31 => swarm.about_one(dice),
                _ => swarm,
            };
        }
        // Where nothing is about user memory, the kernels with tables of their own are all alike.
        let two = self.backends & Backends::NATIVE_AND_XEN;
        if !swarm.knows(Subject::User) && !two.is_empty() && dice.percent(95) {
            into.header.backends = two;
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
            let Some((event, why)) = self.event(into.header, &swarm, &state, &so_far) else {
                continue;
            };
            let told = state.tell(into.events.len() as u16, &event);
            if told.is_void() && !self.dice.percent(5) {
                continue;
            }
            into.events.push(event);
            so_far.take_note(&event, &told);
            self.wishes.make(&mut self.dice, (&told, why), into.header.cpus, &swarm, &state, &so_far.astray);
        }
    }

    fn event(
        &mut self,
        header: Header,
        swarm: &Swarm,
        state: &State,
        so_far: &SoFar,
    ) -> Option<(Event, Why)> {
        let dice = &mut self.dice;
        let wish = self.wishes.grant(dice, swarm.follow);
        let why = wish.map_or(Why::Chance, |wish| wish.why);
        let focus = wish.and_then(|wish| wish.about).or(so_far.focus);
        let mut draw = Draw {
            dice,
            cpus: header.cpus,
            held: state.held(),
            focus,
            mapped: so_far.mapped,
            astray: so_far.astray,
            user: so_far.user.while_paused(state.paused_operations()),
            held_up: state.held_up(),
            why,
            irqs_off: swarm.irqs_off,
        };
        let (tag, cpu) = if let Some(wish) = wish {
            (wish.tag, wish.cpu)
        } else {
            let tag = match so_far.last {
                Some((tag, _)) if tag != Tag::Continue && draw.dice.percent(swarm.repeat) => tag,
                _ => EVENTS[draw.dice.weighted(&swarm.weights)],
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
        if draw.is_full(tag, swarm.mappings) {
            return None;
        }
        // What finds no mate waits for a better moment.
        if let Some(mate) = swarm.mate(tag)
            && draw.dice.percent(80)
        {
            draw.event(mate, cpu)?;
        }
        let (tag, mut event) = drawn(&mut draw, tag, cpu)?;
        if wish.is_none() {
            event.cpu = seat(&mut draw, state, &event);
        }
        let holds = swarm.contention.filter(|contention| contention.holders.contains(&tag) && !paused);
        let often = match tag {
            Tag::Deliver => 4,
            _ if tactics::of(tag).is_short => 2,
            _ => 1,
        };
        let often = often * swarm.pauses(tag);
        let often = match why {
            // One that is held up itself does not meet the other.
            Why::Meets if swarm.mate(tag).is_none() => often / 3,
            Why::Prepares | Why::Undoes => 0,
            Why::Meets | Why::Chance | Why::Follows => often,
        };
        if let Some(pause) = wish.and_then(|wish| wish.pause).filter(|_| event.action.takes_pause()) {
            event.pause = Some(pause);
        } else if let Some(contention) = holds.filter(|_| draw.dice.percent(60)) {
            event.pause = Some(contention.hold(draw.dice, header.cpus));
        } else if event.action.takes_pause() && draw.dice.percent(often) {
            event.pause = Some(match so_far.held {
                // Handlers are short.
                _ if tag == Tag::Deliver => Pause::At(draw.dice.between(1, 11) as u16),
                Some(lock) if draw.dice.percent(20) => pauses::wait_for(lock),
                _ => {
                    let tactic = tactics::of(tag);
                    let by_name = match tactic.subject {
                        _ if tactic.is_short => 50,
                        Subject::User => 25,
                        _ => 12,
                    };
                    pauses::draw(draw.dice, tag, swarm.depth, by_name)
                }
            });
        }
        Some((event, why))
    }
}

/// An event of this kind; or, where nothing is there that it could be about, of a kind that it needs: user memory stands on so much
/// else that few stories would come to it.
fn drawn(draw: &mut Draw<'_>, tag: Tag, cpu: u8) -> Option<(Tag, Event)> {
    let is_of_user = tactics::of(tag).subject == Subject::User;
    let before = if is_of_user { user::before(draw, tag) } else { None };
    let needs = kin::all_needs(tag).filter(|_| is_of_user);
    before.into_iter().chain([tag]).chain(needs).find_map(|tag| Some((tag, draw.event(tag, cpu)?)))
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
