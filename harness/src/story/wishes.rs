//! Wishes: events that would go well with what was told before, most of which the generator grants. An operation is followed by what
//! usually follows it. One that is held up meets a partner; what the partner has made may be used and undone; then the operation
//! goes on. No known bug is spelled out here, and none may be.

use machine::Pause;
use oracle::vocabulary::{Mapping, Mode, Named, Operation, Role, Sort, Use};

use crate::tactics::astray::Astray;
use crate::tactics::kin::{ends, partners, undone_by};
use crate::tactics::pages::{GIVES_AWAY, PUTS_TO_USE};
use crate::tactics::{MEANWHILE, Next, Subject, Where, mms, of, pauses, user, waiters};

use super::dice::Dice;
use super::draw::{self, Why};
use super::held::mapping;
use super::swarm::Swarm;
use super::{ResolvedAction, State, Tag, Told};

/// How many wait to be granted at most.
const MOST: usize = 8;

/// The least chance, in percent, of a wish about what is held up.
const MEETS: usize = 70;

/// An event that would go well with what was told before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) tag: Tag,
    pub(super) cpu: u8,
    pub(super) about: Option<Mapping>,
    /// Where it is to stop, if it can.
    pub(super) pause: Option<Pause>,
    pub(super) why: Why,
}

/// Those that are waiting, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes(Vec<Wish>);

impl Wishes {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The oldest is granted so often, in percent; where anything is granted at all, one to meet what is held up oftener, since the
    /// next event may let that go on.
    pub(super) fn grant(&mut self, dice: &mut Dice, often: usize) -> Option<Wish> {
        let meets = matches!(self.0.first()?.why, Why::Meets | Why::Prepares | Why::Undoes);
        let often = if meets && often > 0 { often.max(MEETS) } else { often };
        dice.percent(often).then(|| self.0.remove(0))
    }

    /// Wishes for what goes well with this event, which was told for this reason. If it is held up, they come before all older ones.
    pub(super) fn make(
        &mut self,
        dice: &mut Dice,
        (told, why): (&Told, Why),
        cpus: u8,
        swarm: &Swarm,
        state: &State,
        astray: &Astray,
    ) {
        let other = draw::other_cpu(dice, told.cpu, cpus);
        let any = if dice.percent(50) { told.cpu } else { other };
        let about = subject(told);
        match told.action {
            // A handler that is held up on purpose stays where it is, until the CPU that waits for it has gone on.
            ResolvedAction::Deliver { .. }
                if told.pause.is_some() && why == Why::Meets && dice.percent(60) => {}
            _ if told.pause.is_some() && told.nest > 0 => {
                let met = while_held_up(dice, told, swarm, state);
                let wish = |tag, why| Wish { tag, cpu: other, about, pause: None, why };
                let afterwards = held_tag(told).map_or(&[][..], |tag| of(tag).afterwards).iter();
                let afterwards: Vec<_> =
                    afterwards.filter(|(_, often)| dice.percent(*often)).map(|(tag, _)| *tag).collect();
                let afterwards = afterwards.into_iter();
                let to_what_is_made = |tag, why| Wish { about: None, ..wish(tag, why) };
                // The host may take the CPU away just there.
                let is_of_user = held_tag(told).is_some_and(|tag| of(tag).subject == Subject::User);
                let taken_away = is_of_user && dice.percent(20);
                let all = [
                    taken_away
                        .then(|| Wish { cpu: told.cpu, ..to_what_is_made(Tag::HostPreempt, Why::Prepares) }),
                    astray.needed(met.first, &state.held_up()).map(|tag| to_what_is_made(tag, Why::Prepares)),
                    Some(Wish { pause: met.pause, ..wish(met.first, Why::Meets) }),
                    met.used.map(|tag| to_what_is_made(tag, Why::Undoes)),
                    met.undone.map(|tag| to_what_is_made(tag, Why::Undoes)),
                ];
                let afterwards = afterwards.map(|tag| wish(tag, Why::Undoes));
                let last = [
                    met.second.map(|tag| wish(tag, Why::Meets)),
                    met.goes_on.map(|tag| Wish { cpu: told.cpu, ..wish(tag, Why::Follows) }),
                    // What the CPU in the handler remembers is seen by what its walkers do.
                    (is_of_user && met.first == Tag::Deliver && met.pause.is_some())
                        .then(|| wish(Tag::FillUser, Why::Follows)),
                ];
                let all = all.into_iter().flatten().chain(afterwards).chain(last.into_iter().flatten());
                self.0.splice(..0, all);
                self.0.truncate(MOST);
            }
            ResolvedAction::Call(call) if swarm.is_about_all() && why != Why::Prepares => {
                let Some((tag, whom)) = follows(dice, &call.operation, swarm) else { return };
                if !swarm.knows(of(tag).subject) && of(tag).subject == Subject::Buffers {
                    return;
                }
                let cpu = if whom == Where::Any { any } else { other };
                let held_next = of(Tag::of_operation(&call.operation)).held_next;
                let often = held_next.iter().find(|(next, ..)| *next == tag);
                let often = often.map(|(_, often, pause)| (*often, *pause)).or(of(tag).held_after);
                let pause = often.filter(|(often, _)| dice.percent(*often)).map(|(_, pause)| pause);
                if self.0.len() < MOST {
                    self.0.push(Wish { tag, cpu, about, pause, why: Why::Follows });
                }
            }
            // It is given back, and what is on its way to it then may be lost.
            ResolvedAction::HostPreempt if self.0.len() < MOST && dice.percent(60) => {
                let pause = Some(pauses::GIVING_BACK).filter(|_| dice.percent(60));
                let (tag, cpu) = (Tag::HostEnter, told.cpu);
                self.0.push(Wish { tag, cpu, about, pause, why: Why::Follows });
            }
            _ => {}
        }
    }
}

/// What usually follows an operation.
fn follows(dice: &mut Dice, operation: &Operation, swarm: &Swarm) -> Option<(Tag, Where)> {
    match of(Tag::of_operation(operation)).next {
        Next::Nothing => None,
        Next::Of(tags, whom) => {
            let tags: Vec<_> = tags.iter().copied().filter(|tag| !swarm.leaves_alone(*tag)).collect();
            (!tags.is_empty()).then(|| (dice.pick(&tags), whom))
        }
        Next::End => {
            let mut end = None;
            operation.each_use(|Use { named, .. }| {
                if let Named::Thing(sort, _) = named {
                    end = ends(sort, Role::Plain);
                }
            });
            end.map(|tag| (tag, Where::Any))
        }
    }
}

/// The mapping that an event is about.
pub(super) fn subject(told: &Told) -> Option<Mapping> {
    match told.action {
        ResolvedAction::Fill { place } => Some(place.mapping),
        ResolvedAction::Call(call) => {
            let mut about = None;
            call.operation.each_use(|Use { named, .. }| {
                if let Named::Thing(sort @ (Sort::Area | Sort::Ram | Sort::Buffer), slot) = named {
                    about = Some(mapping(sort, slot));
                }
            });
            about
        }
        _ => None,
    }
}

/// Whether an operation unmaps a mapping of pages, which stay with their owner.
fn unmaps(tag: Tag) -> bool {
    tag.row().is_some_and(|row| {
        row.operands.iter().any(|names| {
            names.mode == Some(Mode::Ends(Role::Plain)) && matches!(names.sorts, [Sort::Area | Sort::Ram])
        })
    })
}

/// What goes well with an event that is held up, on another CPU.
struct Meeting {
    first: Tag,
    /// Where that is held up itself.
    pause: Option<Pause>,
    /// What uses that which it has made.
    used: Option<Tag>,
    /// What undoes that before the event goes on.
    undone: Option<Tag>,
    second: Option<Tag>,
    /// By what the event is let go on.
    goes_on: Option<Tag>,
}

/// What an event meets that is held up, and what comes then.
fn while_held_up(dice: &mut Dice, told: &Told, swarm: &Swarm, state: &State) -> Meeting {
    let (first, pause) = meets(dice, told, swarm, state);
    // A partner that is held up itself has made nothing yet.
    let undone = undone_by(first).filter(|_| pause.is_none() && dice.percent(60));
    let used = of(first).used_by.filter(|_| undone.is_some() && dice.percent(40));
    let then = held_tag(told).map_or(&[][..], |tag| of(tag).then);
    let second = if unmaps(first) && dice.percent(30) {
        // What was unmapped is given away, on the CPU that unmapped it.
        Some(GIVES_AWAY)
    } else if !then.is_empty() {
        Some(dice.pick(then))
    } else if held_tag(told).is_some_and(|tag| !of(tag).afterwards.is_empty()) {
        None
    } else {
        dice.percent(40).then(|| dice.pick(&MEANWHILE))
    };
    let goes_on = dice.percent(70).then(|| goes_on(dice, told, undone.unwrap_or(first)));
    Meeting { first, pause, used, undone, second, goes_on }
}

/// The kind of the operation that is held up, if it is one.
fn held_tag(told: &Told) -> Option<Tag> {
    match told.action {
        ResolvedAction::Call(call) => Some(Tag::of_operation(&call.operation)),
        ResolvedAction::HostEnter => Some(Tag::HostEnter),
        _ => None,
    }
}

/// By what a paused operation is let go on: what begins something on its CPU does so too.
fn goes_on(dice: &mut Dice, told: &Told, meanwhile: Tag) -> Tag {
    let unmapped = unmaps(meanwhile) || held_tag(told).is_some_and(unmaps);
    if unmapped && dice.percent(40) { PUTS_TO_USE } else { Tag::Continue }
}

/// What an event meets that is held up, and where that is held up itself.
fn meets(dice: &mut Dice, told: &Told, swarm: &Swarm, state: &State) -> (Tag, Option<Pause>) {
    if let Some(mate) = held_tag(told).and_then(|tag| swarm.mate(tag)) {
        return (mate, None);
    }
    let partner = |dice: &mut Dice| {
        let ResolvedAction::Call(call) = told.action else { return None };
        let on = state.held().acted_on(&call.operation);
        let known = || partners(state.held(), &on).filter(|tag| swarm.knows(of(*tag).subject));
        let count = known().count();
        if count == 0 { None } else { known().nth(dice.below(count)) }
    };
    if swarm.held_up.is_some()
        && swarm.held_up == held_tag(told)
        && dice.percent(80)
        && let Some(partner) = partner(dice)
    {
        return (partner, None);
    }
    if let Some(contention) = swarm.contention.filter(|contention| contention.is_held(told.pause)) {
        return contention.taker(dice);
    }
    let lock = pauses::lock_held(told.pause);
    let waiting = || lock.into_iter().flat_map(waiters).filter(|tag| !swarm.leaves_alone(*tag));
    let count = waiting().count();
    if pauses::holds_interrupts(told.pause) && dice.percent(if count == 0 { 95 } else { 60 }) {
        return (Tag::Deliver, pauses::in_handler(dice, told.pause).filter(|_| dice.percent(60)));
    }
    if count > 0 && dice.percent(60) {
        // It comes to wait, and is left there.
        let pause = pauses::wait_there(told.pause).filter(|_| dice.percent(75));
        return (waiting().nth(dice.below(count)).expect("there are so many"), pause);
    }
    let Some(tag) = held_tag(told) else { return (dice.pick(&MEANWHILE), None) };
    if pauses::holds_lock(told.pause) && dice.percent(50) {
        // What is like it wants the same locks.
        return (tag, None);
    }
    let subject = of(tag).subject;
    if swarm.knows(Subject::User) && subject != Subject::User && dice.percent(25) {
        return (dice.pick(&user::MEANWHILE), None);
    }
    if swarm.knows(Subject::Mms) && !matches!(subject, Subject::Mms | Subject::User) && dice.percent(25) {
        return (dice.pick(&mms::MEANWHILE), None);
    }
    let (often, usual) = of(tag).meets;
    let first = if dice.percent(often) {
        dice.pick(usual)
    } else {
        let partner = if dice.percent(65) { partner(dice) } else { None };
        partner.unwrap_or_else(|| dice.pick(&MEANWHILE))
    };
    // What exchanges frames is held up while they belong to neither side.
    let exchanges = of(first).held_up.contains(&pauses::EXCHANGING) && dice.percent(60);
    (first, exchanges.then(|| pauses::half_exchanged(dice)))
}
