//! Draws single events that mean something at one moment of a story: for the generator and for the mutator.
//!
//! It knows which things are there, so that few events are void; it must not know any bug.

use impls::Designs;
use oracle::vocabulary::{Call, Mapping, Mode, Operation, PageSlot, Place, Role, Sort, Told};

use crate::combinations;
use crate::tactics::astray::Astray;
use crate::tactics::kin::Things;
use crate::tactics::user_memory::{self, UserMemory};
use crate::tactics::{self, kin};

use super::dice::Dice;
use super::held::{Held, mapping, thing};
use super::slots::SlotSet;
use super::{Action, Backends, Event, Tag, codec};

/// What events are drawn from.
pub(crate) struct Draw<'a> {
    pub(crate) dice: &'a mut Dice,
    /// How many CPUs there are.
    pub(crate) cpus: u8,
    /// What callers hold at this moment.
    pub(crate) held: &'a Held,
    /// The mapping that the story is about just now.
    pub(crate) focus: Option<Mapping>,
    /// The page that was mapped last.
    pub(crate) mapped: Option<PageSlot>,
    /// What a guest gone astray has done so far.
    pub(crate) astray: Astray,
    /// What the story told of user memory so far.
    pub(crate) user: UserMemory,
    /// What operations act on that are paused: others are drawn to it, in every role that it can take there.
    pub(crate) held_up: Things,
    /// Why the event is told.
    pub(crate) why: Why,
    /// How often, in percent, callers disable interrupts where they may.
    pub(crate) irqs_off: usize,
}

/// Why an event is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// By chance.
    Chance,
    /// It usually follows.
    Follows,
    /// It meets what is held up.
    Meets,
    /// The event that meets what is held up needs it.
    Prepares,
    /// It uses what the one before has made, or undoes it.
    Undoes,
}

impl Why {
    /// How often, in percent, the event is about what is held up, where it can be.
    pub(crate) const fn attracted(self) -> usize {
        match self {
            Self::Chance | Self::Follows | Self::Undoes => 50,
            Self::Meets => 80,
            Self::Prepares => 0,
        }
    }
}

impl Draw<'_> {
    /// Any CPU.
    pub(super) fn cpu(&mut self) -> u8 {
        self.dice.below(usize::from(self.cpus)) as u8
    }

    /// A CPU other than this one, if there is one.
    pub(super) fn other_cpu(&mut self, cpu: u8) -> u8 {
        other_cpu(self.dice, cpu, self.cpus)
    }

    /// An event of this kind on this CPU; nothing if it could only be void.
    pub(super) fn event(&mut self, tag: Tag, cpu: u8) -> Option<Event> {
        let action = self.action(tag, cpu)?;
        Some(Event { cpu: if action.has_cpu() { cpu } else { 0 }, action, pause: None })
    }

    fn action(&mut self, tag: Tag, cpu: u8) -> Option<Action> {
        Some(match tag {
            Tag::Continue => Action::Continue,
            Tag::Deliver => {
                let from = self.other_cpu(cpu);
                Action::Deliver { from: (self.cpus > 1 && self.dice.percent(30)).then_some(from) }
            }
            Tag::Fill => Action::Fill { place: self.place_of(super::held::Held::known)? },
            Tag::FillUser => Action::FillUser { at: user_memory::walk(self)? },
            Tag::DrainStores => Action::DrainStores { count: self.dice.geometric(2, 8) as u8 },
            Tag::GracePeriod => Action::GracePeriod,
            Tag::RunWork => Action::RunWork,
            Tag::Touch => Action::Touch,
            Tag::HostPreempt => Action::HostPreempt,
            Tag::HostEnter => Action::HostEnter,
            Tag::ApplyBroadcast => Action::ApplyBroadcast,
            _ => {
                let tactic = tactics::of(tag);
                let operation = match tactic.draw {
                    Some(draw) => draw(self)?,
                    None => self.by_operands(tag)?,
                };
                let often = self.irqs_off.max(tactic.irqs_off);
                let irqs_off = operation.row().irqs_off && self.dice.percent(often);
                Action::Call(Call { operation, irqs_off })
            }
        })
    }

    /// An operation of this kind, operand by operand.
    pub(crate) fn by_operands(&mut self, tag: Tag) -> Option<Operation<Told>> {
        codec::draw(tag, self)
    }

    /// The page that was mapped last, if this may be done with it now.
    pub(crate) fn mapped_last(&self, tag: Tag) -> Option<PageSlot> {
        let mode = tag.row()?.operands.first()?.mode?;
        let candidates = self.held.candidates(Sort::Page, mode);
        self.mapped.filter(|page| candidates.contains(page.number()))
    }

    /// A slot for a thing of this sort with which this may be done now.
    pub(crate) fn slot(&mut self, sort: Sort, mode: Mode) -> Option<u8> {
        let set = self.held.candidates(sort, mode);
        match (sort, mode) {
            // Few pages are given up, so that what was done to one is built upon.
            (Sort::Page, Mode::GivesUp) => {
                let given_up = self.held.candidates(sort, Mode::Uses(Some(Role::Astray)));
                let again = !given_up.is_empty() && (given_up.len() >= 4 || self.dice.percent(60));
                self.page(if again { given_up } else { set }).map(PageSlot::number)
            }
            (Sort::Page, _) => self.page(set).map(PageSlot::number),
            (_, Mode::New(_)) => set.from(0),
            (Sort::Area | Sort::Ram | Sort::Buffer, _) => self.near(sort, set),
            (Sort::Tree | Sort::Mm | Sort::Object | Sort::Pins, _) => {
                let set = self.attracted(sort, set);
                self.dice.slot(set)
            }
        }
    }

    /// These slots, or those of them that are held up.
    fn attracted(&mut self, sort: Sort, set: SlotSet) -> SlotSet {
        let there = set & self.held_up[sort as usize];
        if there.is_empty() || !self.dice.percent(self.why.attracted()) { set } else { there }
    }

    /// A page of the set. Stories are easier to read, and pages more often the same, where low slots are preferred.
    pub(crate) fn page(&mut self, set: SlotSet) -> Option<PageSlot> {
        let set = self.attracted(Sort::Page, set);
        let slot = if self.dice.percent(40) { set.from(0) } else { self.dice.slot(set) };
        slot.map(PageSlot::new)
    }

    /// A slot of the set, more often than not one that is held up or the one in focus.
    fn near(&mut self, sort: Sort, set: SlotSet) -> Option<u8> {
        let focus = self.focus.map(thing).filter(|focus| focus.0 == sort).map(|focus| focus.1);
        if let Some(slot) = focus.filter(|slot| self.why == Why::Undoes && set.contains(*slot)) {
            return Some(slot);
        }
        let set = self.attracted(sort, set);
        match focus {
            Some(slot) if set.contains(slot) && self.dice.percent(60) => Some(slot),
            _ => self.dice.slot(set),
        }
    }

    /// A page of a mapping.
    pub(crate) fn page_within(&mut self) -> u8 {
        if self.dice.percent(60) { 0 } else { self.dice.below(4) as u8 }
    }

    /// A page of any mapping with which this may be done now.
    pub(crate) fn place(&mut self, mode: Mode) -> Option<Place> {
        self.place_of(|held, sort| held.candidates(sort, mode))
    }

    fn place_of(&mut self, set: impl Fn(&Held, Sort) -> SlotSet) -> Option<Place> {
        const SORTS: [Sort; 3] = [Sort::Area, Sort::Ram, Sort::Buffer];
        let mut sets = SORTS.map(|sort| set(self.held, sort));
        let there = [0, 1, 2].map(|at| sets[at] & self.held_up[SORTS[at] as usize]);
        let undoes = self.why == Why::Undoes;
        if !undoes && there.iter().any(|set| !set.is_empty()) && self.dice.percent(self.why.attracted()) {
            sets = there;
        }
        let has = |mapping: &Mapping| {
            let (sort, slot) = thing(*mapping);
            sets[SORTS.iter().position(|other| *other == sort).unwrap_or(0)].contains(slot)
        };
        let mapping = match self.focus.filter(has) {
            Some(mapping) if undoes || self.dice.percent(60) => mapping,
            _ => {
                let count = sets.iter().map(|set| set.len()).sum();
                let mut number = if count == 0 { return None } else { self.dice.below(count) };
                let (sort, set) = SORTS.into_iter().zip(sets).find(|(_, set)| {
                    let here = number < set.len();
                    number -= if here { 0 } else { set.len() };
                    here
                })?;
                mapping(sort, set.all_from(0).nth(number)?)
            }
        };
        Some(Place { mapping, page: self.page_within() })
    }

    /// Whether the story holds as many mappings as it may, and this would make another.
    pub(super) fn is_full(&self, tag: Tag, most: usize) -> bool {
        kin::makes_mapping(tag)
            && [Sort::Area, Sort::Ram, Sort::Buffer]
                .into_iter()
                .map(|sort| self.held.live(sort).len())
                .sum::<usize>()
                >= most
    }
}

/// Of this many CPUs one other than this, if there is one.
pub(super) fn other_cpu(dice: &mut Dice, cpu: u8, cpus: u8) -> u8 {
    let step = if cpus > 1 { dice.between(1, usize::from(cpus) - 1) as u8 } else { 0 };
    (cpu + step) % cpus
}

/// A combination of designs that is correct on these backends: a variant of each point about one half of address spaces, any of them
/// as often.
pub(super) fn designs(dice: &mut Dice, on: Backends) -> Designs {
    loop {
        let mut designs = Designs::default();
        let user = dice.percent(30);
        for point in Designs::POINTS.iter().filter(|point| combinations::is_of_user_half(point) == user) {
            let (variant, _) = dice.pick(point.variants);
            designs.choose(point.name, variant).expect("a variant of the point");
        }
        if combinations::flaw(designs, on).is_none() {
            return designs;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_correct_combination_of_designs_is_drawn_and_no_other() {
        let all = combinations::all();
        for backends in [Backends::NATIVE, Backends::all()] {
            let correct = all.iter().filter(|designs| combinations::flaw(**designs, backends).is_none());
            let correct: BTreeSet<_> = correct.copied().collect();
            let mut dice = Dice::new(11);
            let drawn: BTreeSet<_> = (0..correct.len() * 24).map(|_| designs(&mut dice, backends)).collect();
            assert_eq!(drawn, correct, "{backends:?}");
        }
    }
}
