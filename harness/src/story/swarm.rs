//! How wild a story is, and which events it knows: drawn once for each (Groce et al., "Swarm Testing", ISSTA 2012). Some
//! stories are about two operations that are under way at once, some about a lock that two CPUs want.

use impls::Sizes;
use machine::Temperament;

use crate::tactics::aliases::MAPS;
use crate::tactics::contention::Contention;
use crate::tactics::kin::all_needs;
use crate::tactics::{COUNT, EVENTS, Subject, Tactic, WEIGHTS, of};

use super::dice::Dice;
use super::{Backends, Header, Tag};

/// What is drawn once for a whole story.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    pub(super) weights: [usize; COUNT],
    /// What it knows of, beside pages.
    knows: Vec<Subject>,
    /// In percent: how often an event that can pause does.
    pub(super) pauses: usize,
    /// The mean number of points before a pause.
    pub(super) depth: usize,
    /// Two operations that are to be under way at once, if the story is about that.
    pub(super) pair: Option<(Tag, Tag)>,
    /// An operation that is to be held up, if the story is about what others do meanwhile with what it acts on.
    pub(super) held_up: Option<Tag>,
    /// What is fought for, if the story is about that.
    pub(super) contention: Option<&'static Contention>,
    /// In percent: how often a wish is granted before another event is drawn.
    pub(super) follow: usize,
    /// In percent: how often an event stays on the CPU of the one before.
    pub(super) stay: usize,
    /// In percent: how often an event is of the same kind as the one before.
    pub(super) repeat: usize,
    /// In percent: how often callers disable interrupts.
    pub(super) irqs_off: usize,
    /// This many mappings are held at once.
    pub(super) mappings: usize,
}

/// What is told so seldom that a story about something else is not disturbed.
const SELDOM: usize = 2;

/// How often what a story is about is told.
const OFTEN: usize = 60;

/// What an event needs before it, and how often that is told in a story about the event. What user memory needs is told where it is
/// missed.
fn needs(tag: Tag) -> Vec<(Tag, usize)> {
    let often = if of(tag).subject == Subject::User { 4 * SELDOM } else { OFTEN };
    all_needs(tag).map(|need| (need, often)).collect()
}

impl Swarm {
    /// Whether it is about nothing in particular.
    pub(super) fn is_about_all(&self) -> bool {
        self.pair.is_none() && self.held_up.is_none() && self.contention.is_none()
    }

    /// Whom an event of this kind should meet, if the story is about that.
    pub(super) fn mate(&self, tag: Tag) -> Option<Tag> {
        let (one, other) = self.pair?;
        match tag {
            _ if tag == one => Some(other),
            _ if tag == other => Some(one),
            _ => None,
        }
    }

    /// In percent: how often an event of this kind is held up, if it can be.
    pub(super) fn pauses(&self, tag: Tag) -> usize {
        if self.mate(tag).is_some() || self.held_up == Some(tag) { 60 } else { self.pauses }
    }

    /// Whether it knows of this.
    pub(super) fn knows(&self, subject: Subject) -> bool {
        subject == Subject::Pages || self.knows.contains(&subject)
    }

    /// Whether an event is about user memory and the story is not.
    pub(super) fn leaves_alone(&self, tag: Tag) -> bool {
        of(tag).subject == Subject::User && !self.knows(Subject::User)
    }

    /// The same with other weights, by what is known of each event. User memory is left alone unless one of these is about it.
    fn weighed(mut self, about: &[Tag], weigh: impl Fn(&Tactic, usize) -> usize) -> Self {
        let is_about_user = about.iter().any(|tag| of(*tag).subject == Subject::User);
        for ((weight, usual), tag) in self.weights.iter_mut().zip(WEIGHTS).zip(EVENTS) {
            let is_left_alone = of(tag).subject == Subject::User && !is_about_user;
            *weight = if is_left_alone { 0 } else { weigh(of(tag), usual) };
        }
        self
    }

    /// The same for a story about two operations that are under way at once, whichever: each two are to meet, however
    /// seldom each is told elsewhere.
    pub(super) fn about_two(self, dice: &mut Dice) -> Self {
        let (one, other) = (any_call(dice), any_call(dice));
        let needed = [needs(one), needs(other)].concat();
        let told = |tactic: &Tactic, usual: usize| match tactic.tag {
            tag if tag == one || tag == other => OFTEN,
            tag => needed.iter().find(|need| need.0 == tag).map_or(usual.min(SELDOM), |need| need.1),
        };
        Self { pair: Some((one, other)), ..self.weighed(&[one, other], told).about(dice, &[one, other]) }
    }

    /// The same for a story about one operation, whichever, and what others do with its operands while it is held up.
    pub(super) fn about_one(self, dice: &mut Dice) -> Self {
        let one = any_call(dice);
        let needed = needs(one);
        let told = |tactic: &Tactic, usual: usize| {
            let needed = needed.iter().find(|need| need.0 == tactic.tag).map(|need| need.1);
            match needed {
                _ if tactic.tag == one => OFTEN,
                Some(often) => often,
                None if tactic.subject == of(one).subject => 2 * usual,
                None => usual.min(SELDOM),
            }
        };
        Self { held_up: Some(one), ..self.weighed(&[one], told).about(dice, &[one]) }
    }

    /// The rest of a story about these: they are held up often, and others come by.
    fn about(mut self, dice: &mut Dice, tags: &[Tag]) -> Self {
        self.knows = vec![Subject::OwnPages, Subject::Buffers, Subject::Astray];
        self.knows.extend(tags.iter().flat_map(|tag| match of(*tag).subject {
            Subject::Mms => &[Subject::Mms][..],
            Subject::User => &[Subject::Mms, Subject::User],
            Subject::Pages | Subject::OwnPages | Subject::Buffers | Subject::Astray => &[],
        }));
        Self {
            pauses: 5,
            depth: dice.pick(&[1, 2, 4, 12]),
            follow: 90,
            repeat: 0,
            mappings: self.mappings.max(4),
            ..self
        }
    }

    /// The same for a story about a lock that one CPU holds and another wants.
    pub(super) fn about_contention(mut self, dice: &mut Dice, on: Backends) -> Self {
        let contention = Contention::draw(dice, on);
        let told = [contention.holders, contention.takers, contention.before].concat();
        self.knows = vec![Subject::OwnPages, Subject::Buffers, Subject::Mms, Subject::Astray];
        let user = told.iter().map(|tag| of(*tag).subject).find(|subject| *subject == Subject::User);
        self.knows.extend(user);
        let mappings = self.mappings.max(4);
        let weighed = self.weighed(&told, |tactic, usual| {
            let tag = tactic.tag;
            let sought =
                told.contains(&tag) || told.iter().any(|told| all_needs(*told).any(|need| need == tag));
            match usual {
                _ if contention.holders.contains(&tag) => 120,
                _ if sought => 60,
                _ => usual.min(SELDOM),
            }
        });
        Self { contention: Some(contention), pauses: 2, follow: 90, repeat: 0, mappings, ..weighed }
    }

    pub(super) fn draw(dice: &mut Dice, header: Header) -> Self {
        let mut weights = WEIGHTS;
        // Most stories leave permissions alone, and address spaces and devices; and guests seldom go astray.
        for weight in &mut weights {
            *weight *= [0, 1, 2, 6][dice.weighted(&[25, 35, 25, 15])];
        }
        let mut knows: Vec<_> = SUBJECTS
            .into_iter()
            .filter(|(_, often)| dice.percent(*often))
            .map(|(subject, _)| subject)
            .collect();
        let knows_user = knows.contains(&Subject::User);
        if knows_user && !knows.contains(&Subject::Mms) {
            knows.push(Subject::Mms);
        }
        // What address spaces map takes several lines, which are told of little else.
        let all_user = knows_user && dice.percent(90);
        let lazy = header.temperament.contains(Temperament::LAZY_STORES);
        // A guest that goes astray mostly does little else.
        let all_astray = knows.contains(&Subject::Astray) && dice.percent(60);
        for ((weight, tag), usual) in weights.iter_mut().zip(EVENTS).zip(WEIGHTS) {
            let subject = of(tag).subject;
            let is_known = subject == Subject::Pages || knows.contains(&subject);
            if !is_known || (!lazy && tag == Tag::DrainStores) {
                *weight = 0;
            } else if all_astray && subject == Subject::Astray {
                *weight *= 4;
            } else if all_user {
                let often = match of(tag).with_user {
                    _ if subject == Subject::User => 4 * usual,
                    Some(often) => often,
                    None => usual.div_ceil(3),
                };
                *weight = *weight * often / usual;
            }
        }
        // Without a mapping there is little to tell.
        if !MAPS.iter().any(|tag| weights[place_of(*tag)] > 0) {
            weights[place_of(dice.pick(&MAPS))] = 8;
        }
        let roomy = header.sizes != Sizes::Tiny;
        Self {
            weights,
            knows,
            pair: None,
            held_up: None,
            contention: None,
            pauses: if all_user { dice.pick(&[0, 30, 45, 60]) } else { dice.pick(&[0, 10, 25, 25, 45]) },
            depth: dice.pick(&[3, 8, 20, 40]),
            follow: if all_user { dice.pick(&[40, 80, 90, 90]) } else { dice.pick(&[0, 30, 60, 80]) },
            stay: dice.pick(&[0, 30, 60]),
            repeat: dice.pick(&[0, 0, 20, 50]),
            irqs_off: dice.pick(&[0, 0, 10, 50]),
            mappings: dice.between(2, if roomy { 14 } else { 6 }),
        }
    }
}

/// How often, in percent, a story knows of what most stories leave alone.
const SUBJECTS: [(Subject, usize); 5] = [
    (Subject::OwnPages, 23),
    (Subject::Mms, 30),
    (Subject::Buffers, 35),
    (Subject::Astray, 18),
    (Subject::User, 28),
];

fn place_of(tag: Tag) -> usize {
    EVENTS.iter().position(|event| *event == tag).expect("an event")
}

fn any_call(dice: &mut Dice) -> Tag {
    let calls = || EVENTS.into_iter().filter(|tag| tag.is_call());
    calls().nth(dice.below(calls().count())).expect("there are so many")
}
