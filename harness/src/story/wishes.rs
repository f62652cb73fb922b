//! Wishes: events that would go well with what was told before, most of which the generator grants. An operation is followed by what
//! usually follows it. One that is held up meets a partner; what the partner has made may be used and undone; then the operation
//! goes on. No known bug is spelled out here, and none may be.

use machine::Pause;
use oracle::vocabulary::{Call, Mapping, Operation};

use super::dice::Dice;
use super::draw::{self, Why};
use super::follow::{MEANWHILE, during, follows, goes_on, held_next, subject};
use super::partners::{needed_by, partner, undone_by, used_by};
use super::pauses;
use super::swarm::Swarm;
use super::{ResolvedAction, State, Tag, Told, Verb};

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

/// Those that wait, in the order in which they are granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes(Vec<Wish>);

impl Wishes {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Grants the oldest with this chance, in percent. Where wishes are granted at all, one about what is held up has a better chance:
    /// the next event may let that go on.
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
    ) {
        let other = draw::other_cpu(dice, told.cpu, cpus);
        let any = if dice.percent(50) { told.cpu } else { other };
        let about = subject(told);
        match told.action {
            _ if told.pause.is_some() && told.nest > 0 => {
                let met = while_held_up(dice, told, swarm, state);
                let wish = |tag, why| Wish { tag, cpu: other, about, pause: None, why };
                let needed = needed_by(met.first, &state.slots());
                let needed = needed.map(|tag| Wish { about: None, ..wish(tag, Why::Prepares) });
                let first = Wish { pause: met.pause, ..wish(met.first, Why::Meets) };
                let used = met.used.map(|tag| Wish { about: None, ..wish(tag, Why::Undoes) });
                let undone = met.undone.map(|tag| Wish { about: None, ..wish(tag, Why::Undoes) });
                let second = met.second.map(|tag| wish(tag, Why::Meets));
                let last = met.goes_on.map(|tag| Wish { cpu: told.cpu, ..wish(tag, Why::Follows) });
                let all = [needed, Some(first), used, undone, second, last];
                self.0.splice(..0, all.into_iter().flatten());
                self.0.truncate(MOST);
            }
            ResolvedAction::Call(call) if swarm.is_about_all() && why != Why::Prepares => {
                if let Some((tag, cpu)) = follows(dice, &call.operation, swarm.dma, (any, other))
                    && self.0.len() < MOST
                {
                    let pause = held_next(dice, &call.operation, tag);
                    self.0.push(Wish { tag, cpu, about, pause, why: Why::Follows });
                }
            }
            _ => {}
        }
    }
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
    /// What lets the event go on.
    goes_on: Option<Tag>,
}

/// What an event meets that is held up, and what comes then.
fn while_held_up(dice: &mut Dice, told: &Told, swarm: &Swarm, state: &State) -> Meeting {
    let (first, pause) = meets(dice, told, swarm, state);
    // A partner that is held up itself has made nothing yet.
    let undone = undone_by(first).filter(|_| pause.is_none() && dice.percent(60));
    let used = used_by(first).filter(|_| undone.is_some() && dice.percent(40));
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
    let goes_on = dice.percent(70).then(|| goes_on(dice, told, undone.unwrap_or(first)));
    Meeting { first, pause, used, undone, second, goes_on }
}

/// What an event meets that is held up, and where that is held up itself.
fn meets(dice: &mut Dice, told: &Told, swarm: &Swarm, state: &State) -> (Tag, Option<Pause>) {
    if let ResolvedAction::Call(call) = told.action
        && let Some(mate) = swarm.mate(Verb::of(&call.operation).tag())
    {
        return (mate, None);
    }
    if let ResolvedAction::Call(call) = told.action
        && swarm.held_up == Some(Verb::of(&call.operation).tag())
        && dice.percent(80)
    {
        let on = state.operands(&call.operation);
        if let Some(partner) = partner(dice, swarm, &state.slots(), &on) {
            return (partner, None);
        }
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
    let about_the_same = |dice: &mut Dice| {
        let on = state.operands(&call.operation);
        let meets = dice.percent(65);
        meets.then(|| partner(dice, swarm, &state.slots(), &on)).flatten()
    };
    let first = during(dice, &call.operation)
        .or_else(|| about_the_same(dice))
        .unwrap_or_else(|| dice.pick(&MEANWHILE));
    let exchanges = matches!(first, Tag::HvExchange | Tag::DmaAlloc | Tag::DmaAllocWide | Tag::DmaFree)
        && dice.percent(60);
    (first, exchanges.then(|| pauses::half_exchanged(dice)))
}
