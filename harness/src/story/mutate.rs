//! The structure-aware mutator and the crossover, for engines that fuzz bytes.
//!
//! Both decode, change the story and encode it again, so what they leave is canonical and made of whole records.
//! The same input and seed give the same output.

use impls::{Designs, Sizes};
use machine::{Pause, Temperament};

use super::dice::Dice;
use super::draw::{self, Draw, Why};
use super::generate::Generator;
use super::{Action, Backends, Event, HEADER, MAX_BYTES, MAX_CPUS, MAX_RECORDS, STRIDE, State, Story};
use crate::combinations;
use crate::tactics::astray::Astray;
use crate::tactics::user_memory::UserMemory;
use crate::tactics::{EVENTS, WEIGHTS, pauses};

/// Which kernels a mutation may tell a story of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kernels {
    /// Those that the story has.
    AsTold,
    /// Those of any combination of designs that is correct.
    Any,
}

/// Changes the story in the first `size` bytes of `data`, in place, and gives its new length, at most `max_size`.
/// Where `max_size` is below `size` an engine is minimizing: then records are dropped and nothing else changes.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32, kernels: Kernels) -> usize {
    let mut dice = Dice::new(u64::from(seed));
    let size = size.min(data.len());
    let mut story = decode(&data[..size]);
    if max_size >= size {
        if kernels == Kernels::Any && dice.percent(12) {
            change_designs(&mut story, &mut dice);
        } else if dice.percent(ANEW) {
            tell_anew(&mut story, seed);
        } else {
            mutate_story(&mut story, &mut dice);
        }
    }
    let room = max_size.min(data.len());
    put(&mut story, &mut data[..room], &mut dice)
}

/// How often, in percent, a story is told anew instead of changed: what takes several events in a certain order at once is found by
/// telling many stories sooner than by changing few.
const ANEW: usize = 25;

/// Another story of the same kernels, as the random search would tell it.
fn tell_anew(story: &mut Story, seed: u32) {
    let designs = story.header.designs;
    Generator::new(u64::from(seed)).with_backends(story.header.backends).next(story);
    story.header.designs = designs;
}

/// Makes one story of two, in `out`, and gives its length.
pub fn crossover(a: &[u8], b: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mut dice = Dice::new(u64::from(seed));
    let (mut story, other) = (decode(a), decode(b));
    if dice.percent(20) {
        story.header = other.header;
    }
    story.header.cpus = story.header.cpus.max(other.header.cpus);
    if other.events.is_empty() {
        return put(&mut story, out, &mut dice);
    }
    // Either the end of the one after the beginning of the other, or a stretch of the one within the other.
    let at = dice.between(0, story.events.len());
    let from = dice.below(other.events.len());
    if dice.percent(50) {
        story.events.truncate(at);
        story.events.extend_from_slice(&other.events[from..]);
    } else {
        let to = dice.between(from + 1, other.events.len());
        story.events.splice(at..at, other.events[from..to].iter().copied());
    }
    put(&mut story, out, &mut dice)
}

/// Variations of stories by chance, the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Variation(Dice);

impl Variation {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Dice::new(seed))
    }

    /// A story that differs a little from this one; its designs are the same.
    pub(crate) fn of(&mut self, story: &Story) -> Story {
        let mut other = story.clone();
        mutate_story(&mut other, &mut self.0);
        other
    }
}

fn decode(bytes: &[u8]) -> Story {
    Story::decode(&bytes[..bytes.len().min(MAX_BYTES)]).expect("cut to the cap")
}

/// Drops events until the story fits and writes it.
fn put(story: &mut Story, out: &mut [u8], dice: &mut Dice) -> usize {
    combinations::repair(&mut story.header.designs, story.header.backends);
    let room = (out.len().min(MAX_BYTES).saturating_sub(HEADER)) / STRIDE;
    if story.header.records() > room {
        story.header.designs = Designs::default();
    }
    let room = room - story.header.records();
    let mut records: usize = story.events.iter().map(Event::records).sum();
    while records > room {
        let index = dice.below(story.events.len());
        records -= story.events.remove(index).records();
    }
    let bytes = story.encode();
    // Less room than a header has: the rest of it reads as zeroes.
    let length = bytes.len().min(out.len());
    out[..length].copy_from_slice(&bytes[..length]);
    length
}

/// Changes a story once, or a few times.
fn mutate_story(story: &mut Story, dice: &mut Dice) {
    for _ in 0..dice.geometric(2, 6) {
        let change = CHANGES[dice.weighted(&CHANGES.map(|(weight, _)| weight))].1;
        if story.events.is_empty() {
            insert(story, dice);
        } else {
            change(story, dice);
        }
    }
    story.events.truncate(MAX_RECORDS - story.header.records());
}

type Change = fn(&mut Story, &mut Dice);

/// What a mutation may do, to a story that has events, and how often.
const CHANGES: [(usize, Change); 13] = [
    (8, insert),
    (5, delete),
    (1, delete_stretch),
    (2, duplicate),
    (2, swap),
    (2, move_event),
    (9, change_pause),
    (2, move_pause),
    (4, change_operands),
    (3, change_cpu),
    (2, change_irqs),
    (2, replicate),
    (2, change_header),
];

fn any(story: &Story, dice: &mut Dice) -> usize {
    dice.below(story.events.len())
}

/// An event of this kind, or of any, that means something at this place.
fn fresh(story: &Story, dice: &mut Dice, at: usize, like: Option<Event>) -> Option<Event> {
    let mut state = State::new(&story.header);
    let mut user = UserMemory::default();
    for (index, event) in story.events[..at].iter().enumerate() {
        user.take_note(&state.tell(index as u16, event).action);
    }
    let cpus = story.header.cpus;
    let mut draw = Draw {
        dice,
        cpus,
        held: state.held(),
        focus: None,
        mapped: None,
        astray: Astray::default(),
        user: user.while_paused(state.paused_operations()),
        held_up: state.held_up(),
        why: Why::Chance,
        irqs_off: 15,
    };
    (0..8).find_map(|_| {
        let (tag, cpu) = match like {
            Some(event) => (event.action.tag(), event.cpu),
            None => (EVENTS[draw.dice.weighted(&WEIGHTS)], draw.cpu()),
        };
        let event = draw.event(tag, cpu)?;
        (!state.clone().tell(at as u16, &event).is_void()).then_some(event)
    })
}

fn insert(story: &mut Story, dice: &mut Dice) {
    let at = dice.between(0, story.events.len());
    if let Some(mut event) = fresh(story, dice, at, None) {
        if event.action.takes_pause() && dice.percent(25) {
            event.pause = Some(pauses::draw(dice, event.action.tag(), 10, 8));
        }
        story.events.insert(at, event);
    }
}

fn delete(story: &mut Story, dice: &mut Dice) {
    let at = any(story, dice);
    story.events.remove(at);
}

fn delete_stretch(story: &mut Story, dice: &mut Dice) {
    let from = any(story, dice);
    let to = (from + dice.geometric(3, 16)).min(story.events.len());
    story.events.drain(from..to);
}

fn duplicate(story: &mut Story, dice: &mut Dice) {
    let event = story.events[any(story, dice)];
    let at = dice.between(0, story.events.len());
    story.events.insert(at, event);
}

fn swap(story: &mut Story, dice: &mut Dice) {
    let one = any(story, dice);
    let other = if dice.percent(50) { (one + 1) % story.events.len() } else { any(story, dice) };
    story.events.swap(one, other);
}

fn move_event(story: &mut Story, dice: &mut Dice) {
    let from = any(story, dice);
    let event = story.events.remove(from);
    let at = dice.between(0, story.events.len());
    story.events.insert(at, event);
}

/// Puts a pause on an event, takes it off, or moves it to another point, mostly a near one.
fn change_pause(story: &mut Story, dice: &mut Dice) {
    let Some(at) = pausable(story, dice) else {
        return;
    };
    let event = &mut story.events[at];
    event.pause = match event.pause {
        Some(_) if dice.percent(10) => None,
        Some(Pause::At(number)) if dice.percent(70) => {
            let step = dice.geometric(3, 40) as u16;
            let (up, down) = (number.saturating_add(step), number.saturating_sub(step).max(1));
            Some(Pause::At(if dice.percent(50) { up } else { down }))
        }
        Some(Pause::Before { point, occurrence }) if dice.percent(70) => {
            let (up, down) = (occurrence.saturating_add(1), occurrence.saturating_sub(1).max(1));
            Some(Pause::Before { point, occurrence: if dice.percent(50) { up } else { down } })
        }
        _ => Some(pauses::draw(dice, event.action.tag(), 15, 10)),
    };
}

/// The pause of one event goes to another; or another gets the same, a `continue` after it too.
fn move_pause(story: &mut Story, dice: &mut Dice) {
    let paused = story.events.iter().filter(|event| event.pause.is_some()).count();
    let (Some(to), true) = (pausable(story, dice), paused > 0) else {
        return;
    };
    let number = dice.below(paused);
    let mut events = story.events.iter_mut().filter(|event| event.pause.is_some());
    let from = events.nth(number).expect("there are so many");
    let (pause, cpu) = (if dice.percent(70) { from.pause.take() } else { from.pause }, from.cpu);
    if dice.percent(30) {
        let at = dice.between(0, story.events.len());
        story.events.insert(at, Event { cpu, action: Action::Continue, pause });
    } else {
        story.events[to].pause = pause;
    }
}

fn pausable(story: &Story, dice: &mut Dice) -> Option<usize> {
    (0..4).map(|_| any(story, dice)).find(|at| story.events[*at].action.takes_pause())
}

/// The same kind of event with other operands, or another kind in its place.
fn change_operands(story: &mut Story, dice: &mut Dice) {
    let at = any(story, dice);
    let old = story.events[at];
    let like = dice.percent(70).then_some(old);
    if let Some(mut event) = fresh(story, dice, at, like) {
        event.pause = old.pause.filter(|_| event.action.takes_pause());
        story.events[at] = event;
    }
}

/// One event, or all from there on, go to another CPU.
fn change_cpu(story: &mut Story, dice: &mut Dice) {
    let cpus = story.header.cpus;
    if cpus == 1 {
        return;
    }
    let step = dice.between(1, usize::from(cpus) - 1) as u8;
    let from = any(story, dice);
    let to = if dice.percent(75) { from + 1 } else { (from + dice.geometric(4, 32)).min(story.events.len()) };
    for event in &mut story.events[from..to] {
        if event.action.has_cpu() {
            event.cpu = (event.cpu + step) % cpus;
        }
    }
}

fn change_irqs(story: &mut Story, dice: &mut Dice) {
    let able =
        |event: &&mut Event| matches!(event.action, Action::Call(call) if call.operation.row().irqs_off);
    let count = story.events.iter_mut().filter(able).count();
    if count == 0 {
        return;
    }
    let number = dice.below(count);
    if let Some(Event { action: Action::Call(call), .. }) = story.events.iter_mut().filter(able).nth(number) {
        call.irqs_off = !call.irqs_off;
    }
}

/// A stretch of events is told again, on the same CPUs or on others.
fn replicate(story: &mut Story, dice: &mut Dice) {
    let from = any(story, dice);
    let to = (from + dice.geometric(3, 8)).min(story.events.len());
    let step = if dice.percent(60) { 0 } else { dice.below(usize::from(story.header.cpus)) as u8 };
    let cpus = story.header.cpus;
    let moved = |event: &Event| Event {
        cpu: if event.action.has_cpu() { (event.cpu + step) % cpus } else { 0 },
        ..*event
    };
    for _ in 0..dice.geometric(2, 4) {
        let stretch: Vec<Event> = story.events[from..to].iter().map(moved).collect();
        story.events.splice(to..to, stretch);
    }
}

/// Another variant of one design point, or another combination.
fn change_designs(story: &mut Story, dice: &mut Dice) {
    if dice.percent(30) {
        story.header.designs = draw::designs(dice, story.header.backends);
        return;
    }
    let point = dice.pick(Designs::POINTS);
    let (variant, _) = dice.pick(point.variants);
    story.header.designs.choose(point.name, variant).expect("a variant of the point");
}

fn change_header(story: &mut Story, dice: &mut Dice) {
    let header = &mut story.header;
    match dice.weighted(&[12, 4, 3, 1]) {
        0 => {
            let flags: [Temperament; 4] = [
                Temperament::EAGER_WALKERS,
                Temperament::LAZY_STORES,
                Temperament::LIFO_REUSE,
                Temperament::REORDERED_INTERRUPTS,
            ];
            header.temperament.toggle(dice.pick(&flags));
        }
        1 => {
            header.cpus = dice.between(1, usize::from(MAX_CPUS)) as u8;
        }
        2 => header.sizes = dice.pick(&[Sizes::Tiny, Sizes::Small]),
        _ => {
            header.backends = dice.pick(&[
                Backends::NATIVE,
                Backends::XEN,
                Backends::KVM,
                Backends::NATIVE_AND_XEN,
                Backends::all(),
                Backends::all(),
            ]);
        }
    }
}
