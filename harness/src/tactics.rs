//! Tactics: what is known of each event that helps the search, and nothing that it needs. One row an event, in the file of its
//! subject: how often it is told, what usually follows it, what meets it while it is held up, and where that is worth while. An
//! event without a row is told as often as the mean, so that a new operation is drawn the moment it exists.
//!
//! What an event needs before it, what undoes it and what can meet it follow from the modes of the operations (`kin`), unless a row
//! says otherwise. No known bug is spelled out here, and none may be.

pub(crate) mod aliases;
pub(crate) mod astray;
mod buffers;
pub(crate) mod contention;
mod hardware;
pub(crate) mod kin;
pub(crate) mod mms;
mod own_pages;
pub(crate) mod pages;
pub(crate) mod pauses;
pub(crate) mod user;
pub(crate) mod user_memory;

use machine::{Family, Pause, PointKind};
use oracle::vocabulary::{Operation, Told};

use crate::story::Tag;
use crate::story::draw::Draw;

/// What an event is about. Most stories leave some of these alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// Pages, and mappings of them.
    Pages,
    /// Areas that own their pages.
    OwnPages,
    /// Buffers for DMA.
    Buffers,
    /// Address spaces beside the kernel's own.
    Mms,
    /// What address spaces map for user code.
    User,
    /// Hypercalls of a caller's own.
    Astray,
}

/// Where what follows an event is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Where {
    /// On the same CPU, or on another.
    Any,
    /// On another CPU.
    Other,
}

/// What usually follows an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// Nothing in particular.
    Nothing,
    /// One of these, each as often.
    Of(&'static [Tag], Where),
    /// What ends the thing that it uses.
    End,
}

/// Draws an operation; nothing if it could only be void.
type Drawn = fn(&mut Draw<'_>) -> Option<Operation<Told>>;

/// Tells an operation more plainly, if it can be.
type Plainer = fn(Operation<Told>) -> Option<Operation<Told>>;

/// What is known of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tactic {
    pub(crate) tag: Tag,
    pub(crate) subject: Subject,
    /// How often it is drawn in a story about user memory, if it is about something else and not drawn as anywhere.
    pub(crate) with_user: Option<usize>,
    /// How often it is drawn where nothing else is said; the mean of all if it is not said.
    pub(crate) weight: Option<usize>,
    /// What it needs before it, if not what its operands tell.
    pub(crate) needs: Option<Tag>,
    /// What uses that which it has made, if anything can.
    pub(crate) used_by: Option<Tag>,
    /// What gives up again what it makes, if not what its operands tell.
    pub(crate) undone_by: Option<Tag>,
    pub(crate) next: Next,
    /// How many times as often as others it acts on what is held up.
    pub(crate) acts: usize,
    /// What meets it while it is held up, more than others do, and how often, in percent.
    pub(crate) meets: (usize, &'static [Tag]),
    /// What happens on the other CPU after that, if not what happens anyway.
    pub(crate) then: &'static [Tag],
    /// What happens there instead before it goes on, in this order, and how often each, in percent.
    pub(crate) afterwards: &'static [(Tag, usize)],
    /// Where what follows it is held up itself, and how often, in percent.
    pub(crate) held_next: &'static [(Tag, usize, Pause)],
    /// Where it is held up itself when it follows anything, and how often, in percent.
    pub(crate) held_after: Option<(usize, Pause)>,
    /// Where it is in the way of others, if it gets there: before it lets go of a lock, and while it waits for answers.
    pub(crate) held_up: &'static [(PointKind, Family)],
    /// What it waits for beside the locks that it is held up in.
    pub(crate) waits: &'static [Family],
    /// How often, in percent, its caller has interrupts off, at least.
    pub(crate) irqs_off: usize,
    /// It has few points, and of those few where others matter.
    pub(crate) is_short: bool,
    /// It finds nothing to do unless something was unmapped since the last drain.
    pub(crate) needs_aliases: bool,
    /// Nothing that was unmapped is left behind it.
    pub(crate) drains: bool,
    /// How it is drawn, if not operand by operand.
    pub(crate) draw: Option<Drawn>,
    /// How far it is from the plainest of its kind, whatever its operands are.
    pub(crate) size: u32,
    /// A plainer operation that often does as well.
    pub(crate) plainer: Option<Plainer>,
}

impl Tactic {
    /// Nothing is known of it.
    const fn new(tag: Tag) -> Self {
        Self {
            tag,
            subject: Subject::Pages,
            with_user: None,
            weight: None,
            needs: None,
            used_by: None,
            undone_by: None,
            next: Next::Nothing,
            acts: 1,
            meets: (0, &[]),
            then: &[],
            afterwards: &[],
            held_next: &[],
            held_up: &[],
            waits: &[],
            irqs_off: 0,
            is_short: false,
            needs_aliases: false,
            drains: false,
            held_after: None,
            draw: None,
            size: 0,
            plainer: None,
        }
    }

    /// The same, drawn so often.
    const fn weighs(tag: Tag, weight: usize) -> Self {
        Self { weight: Some(weight), ..Self::new(tag) }
    }
}

const SUBJECTS: [&[Tactic]; 8] = [
    pages::TACTICS,
    aliases::TACTICS,
    own_pages::TACTICS,
    buffers::TACTICS,
    mms::TACTICS,
    user::TACTICS,
    astray::TACTICS,
    hardware::TACTICS,
];

/// By the number of a tag, from 0 to 255.
static BY_TAG: [Tactic; 256] = {
    let mut all = [Tactic::new(Tag::Continue); 256];
    let mut at = 0;
    while at < Tag::ALL.len() {
        all[Tag::ALL[at] as usize] = Tactic::new(Tag::ALL[at]);
        at += 1;
    }
    let mut subject = 0;
    while subject < SUBJECTS.len() {
        let mut row = 0;
        while row < SUBJECTS[subject].len() {
            let tactic = SUBJECTS[subject][row];
            all[tactic.tag as usize] = tactic;
            row += 1;
        }
        subject += 1;
    }
    all
};

/// What is known of an event.
pub(crate) fn of(tag: Tag) -> &'static Tactic {
    &BY_TAG[usize::from(tag.number())]
}

/// How many kinds of events there are.
pub(crate) const COUNT: usize = {
    let (mut count, mut at) = (0, 0);
    while at < Tag::ALL.len() {
        count += Tag::ALL[at].is_event() as usize;
        at += 1;
    }
    count
};

/// The kinds of events, those of operations first.
pub(crate) const EVENTS: [Tag; COUNT] = {
    let (mut events, mut count, mut at) = ([Tag::Continue; COUNT], 0, 0);
    while at < Tag::ALL.len() {
        if Tag::ALL[at].is_event() {
            events[count] = Tag::ALL[at];
            count += 1;
        }
        at += 1;
    }
    events
};

/// How often each is drawn where nothing else is said.
pub(crate) static WEIGHTS: [usize; COUNT] = {
    let (mut sum, mut given, mut at) = (0, 0, 0);
    while at < COUNT {
        if let Some(weight) = BY_TAG[EVENTS[at] as usize].weight {
            (sum, given) = (sum + weight, given + 1);
        }
        at += 1;
    }
    let mut weights = [sum / given; COUNT];
    at = 0;
    while at < COUNT {
        if let Some(weight) = BY_TAG[EVENTS[at] as usize].weight {
            weights[at] = weight;
        }
        at += 1;
    }
    weights
};

/// Those that come to wait for a lock: what it holds up, they are held up in too.
pub(crate) fn waiters(lock: Family) -> impl Iterator<Item = Tag> {
    let waits = move |tactic: &Tactic| {
        tactic.held_up.contains(&(PointKind::Store, lock)) || tactic.waits.contains(&lock)
    };
    EVENTS.into_iter().filter(move |tag| tag.is_call() && waits(of(*tag)))
}

/// What happens while an operation is held up, where nothing else is said.
pub(crate) const MEANWHILE: [Tag; 12] = [
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
