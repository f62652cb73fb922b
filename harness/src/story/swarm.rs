//! How wild a story is, and which events it knows: drawn once for each (Groce et al., "Swarm Testing", ISSTA 2012). Some
//! stories are about two operations that are under way at once, some about a lock that two CPUs want.

use impls::Sizes;
use machine::Temperament;

use super::contention::Contention;
use super::dice::Dice;
use super::draw::{self, ABOUT_DMA, ABOUT_MMS, USUAL};
use super::{Backends, Header, Tag};

/// What is drawn once for a whole story.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    pub(super) weights: [usize; USUAL.len()],
    /// It knows of buffers for DMA.
    pub(super) dma: bool,
    /// It knows of address spaces.
    pub(super) mms: bool,
    /// In percent: how often an event that can pause does.
    pub(super) pauses: usize,
    /// The mean number of points before a pause.
    pub(super) depth: usize,
    /// Two operations that are to be under way at once, if the story is about that.
    pub(super) pair: Option<(Tag, Tag)>,
    /// An operation that is to be held up, if the story is about what others do with its operands meanwhile.
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
    /// So many mappings are held at once.
    pub(super) mappings: usize,
}

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Subject {
    Pages,
    OwnPages,
    Buffers,
    AddressSpaces,
    /// Pages that a guest gone astray has.
    Astray,
}

fn subject(tag: Tag) -> Subject {
    match tag {
        _ if tag.is_raw() => Subject::Astray,
        _ if is_special(tag) => Subject::OwnPages,
        _ if ABOUT_DMA.contains(&tag) => Subject::Buffers,
        _ if ABOUT_MMS.contains(&tag) => Subject::AddressSpaces,
        _ => Subject::Pages,
    }
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

const VMAP: usize = place_of(Tag::Vmap);
const MAP_RAM: usize = place_of(Tag::MapRam);

/// Where an event stands among those that are drawn.
const fn place_of(tag: Tag) -> usize {
    let mut at = 0;
    while USUAL[at].0.number() != tag.number() {
        at += 1;
    }
    at
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

    /// The same for a story about two operations that are under way at once, whichever: each two are to meet, however
    /// seldom each is told elsewhere.
    pub(super) fn about_two(mut self, dice: &mut Dice) -> Self {
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

    /// The same for a story about any one operation, and what others do with its operands while it is held up.
    pub(super) fn about_one(mut self, dice: &mut Dice) -> Self {
        let mut calls = USUAL.iter().map(|(tag, _)| *tag).filter(|tag| tag.is_call());
        let one = calls.nth(dice.below(calls.clone().count())).unwrap_or(Tag::Vmap);
        for (weight, (tag, usual)) in self.weights.iter_mut().zip(USUAL) {
            *weight = match tag {
                _ if tag == one || needs(one) == Some(tag) => 60,
                _ if subject(tag) == subject(one) => 2 * usual,
                _ => usual.min(2),
            };
        }
        Self {
            held_up: Some(one),
            dma: true,
            mms: ABOUT_MMS.contains(&one),
            pauses: 5,
            depth: dice.pick(&[1, 2, 4, 12]),
            follow: 90,
            repeat: 0,
            mappings: self.mappings.max(4),
            ..self
        }
    }

    /// The same for a story about somebody who holds a lock, and somebody else who wants it.
    pub(super) fn about_contention(mut self, dice: &mut Dice, on: Backends) -> Self {
        let contention = Contention::draw(dice, on);
        let told = [contention.holders, contention.takers, contention.before].concat();
        for (weight, (tag, usual)) in self.weights.iter_mut().zip(USUAL) {
            let sought = told.contains(&tag) || told.iter().any(|told| needs(*told) == Some(tag));
            *weight = match usual {
                _ if contention.holders.contains(&tag) => 120,
                _ if sought => 60,
                _ => usual.min(2),
            };
        }
        Self {
            contention: Some(contention),
            dma: true,
            mms: true,
            pauses: 2,
            follow: 90,
            repeat: 0,
            mappings: self.mappings.max(4),
            ..self
        }
    }

    pub(super) fn draw(dice: &mut Dice, header: Header) -> Self {
        let mut weights = draw::USUAL_WEIGHTS;
        // Permissions are a subject of their own: most stories leave them alone.
        let special = dice.percent(23);
        for weight in &mut weights {
            *weight *= [0, 1, 2, 6][dice.weighted(&[25, 35, 25, 15])];
        }
        let (mms, dma) = (dice.percent(30), dice.percent(35));
        // Guests seldom go astray. Those that do mostly do little else. A flush does no harm.
        let astray = dice.percent(18);
        let all_astray = astray && dice.percent(60);
        let lazy = header.temperament.contains(Temperament::LAZY_STORES);
        let is_unknown = |tag: Tag| {
            (!special && is_special(tag))
                || (!lazy && tag == Tag::DrainStores)
                || (!mms && ABOUT_MMS.contains(&tag))
                || (!dma && ABOUT_DMA.contains(&tag))
                || (!astray && tag.is_raw() && tag != Tag::HvFlush)
        };
        for (weight, (tag, _)) in weights.iter_mut().zip(USUAL) {
            if is_unknown(tag) {
                *weight = 0;
            } else if all_astray && tag.is_raw() {
                *weight *= 4;
            }
        }
        // Without a mapping there is little to tell.
        if weights[VMAP] + weights[MAP_RAM] == 0 {
            weights[dice.pick(&[VMAP, MAP_RAM])] = 8;
        }
        let roomy = header.sizes != Sizes::Tiny;
        Self {
            weights,
            dma,
            pair: None,
            held_up: None,
            contention: None,
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
