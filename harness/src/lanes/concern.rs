//! What a report is about, and which accesses touch it.

use impls::family;
use machine::paging::{LEVELS, PAGE_SIZE, index};
use machine::{Entry, Flags, Frame, Target, TraceEvent, Var};

use crate::checks::aliases::address;
use crate::headline::Finding;
use crate::runner::{Made, Recording};

/// Pages, frames and variables to be followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Concern {
    pub(super) pages: Vec<u64>,
    pub(super) frames: Vec<Frame>,
    vars: Vec<Var>,
    /// The event during which interrupts being disabled and enabled matter.
    interrupts: Option<usize>,
    /// What happens while everything is torn down matters.
    pub(super) teardown: bool,
}

impl Concern {
    /// What a finding is about; with the frames that its pages were mapped to, or the pages at which its frames were.
    pub(super) fn of(finding: &Finding, recording: &Recording) -> Self {
        let about = &finding.about;
        let mut concern = Self {
            pages: about.pages.clone(),
            frames: about.frames.clone(),
            vars: about.vars.clone(),
            interrupts: finding.event.map(usize::from).filter(|_| !about.vars.is_empty()),
            teardown: finding.headline.operation == "teardown",
        };
        let by_page = !concern.pages.is_empty();
        for (page, frame) in recording.made.iter().flat_map(pages_of) {
            if by_page && concern.pages.contains(&page) && !concern.frames.contains(&frame) {
                concern.frames.push(frame);
            }
            if !by_page && concern.frames.contains(&frame) && !concern.pages.contains(&page) {
                concern.pages.push(page);
            }
        }
        concern
    }

    /// The same on another backend, found again by the handles of the mappings.
    pub(super) fn on(&self, here: &Recording, there: &Recording) -> Self {
        let mut concern = Self { interrupts: self.interrupts, ..Self::default() };
        for made in &here.made {
            let Some(other) = there.made.iter().find(|other| other.event == made.event) else { continue };
            for ((page, _), (its_page, its_frame)) in pages_of(made).zip(pages_of(other)) {
                if self.pages.contains(&page) {
                    if !concern.pages.contains(&its_page) {
                        concern.pages.push(its_page);
                    }
                    concern.frames.push(its_frame);
                }
            }
        }
        concern
    }

    /// Whether this is one of the pages.
    pub(super) fn has_page(&self, va: u64) -> bool {
        self.pages.contains(&(va & !(PAGE_SIZE - 1)))
    }

    fn has_frame(&self, frame: Frame) -> bool {
        self.frames.contains(&frame)
    }

    /// Whether a store to this word is one to an entry for one of the pages, or of one of the frames.
    pub(super) fn is_entry(&self, target: Target, old: u64, new: u64) -> bool {
        let Target::Word(word) = target else { return false };
        [old, new].map(Entry).into_iter().filter(|entry| entry.present()).any(|entry| {
            let large = entry.has(Flags::HUGE_PAGE);
            let lowest = if large { 2 } else { 1 };
            let at =
                |page: &u64| (lowest..=LEVELS).any(|level| index(*page, level) == usize::from(word.index));
            let leads = if large {
                self.frames.iter().any(|frame| frame.large() == entry.frame().large())
            } else {
                self.has_frame(entry.frame())
            };
            leads && self.pages.iter().any(at)
        })
    }

    fn has_var(&self, target: Target) -> bool {
        matches!(target, Target::Var(var) if self.vars.contains(&var) || var.family == family::FLUSH_INFO)
    }

    /// Whether an access during this event of the story touches what the report is about.
    pub(super) fn touches(&self, event: usize, access: &TraceEvent) -> bool {
        match *access {
            TraceEvent::Load { target, .. } => self.has_var(target),
            TraceEvent::Store { target, old, value, .. }
            | TraceEvent::Drained { target, old, value }
            | TraceEvent::Locked { target, old, new: value } => {
                self.has_var(target) || self.is_entry(target, old, value)
            }
            TraceEvent::Cleared { frame } | TraceEvent::Role { frame, .. } => self.has_frame(frame),
            TraceEvent::Filled { va, .. } | TraceEvent::Read { va, .. } | TraceEvent::Write { va, .. } => {
                self.has_page(va)
            }
            TraceEvent::Invalidated { va, .. } => va.is_none_or(|va| self.has_page(va)),
            TraceEvent::IpiSent { .. }
            | TraceEvent::InterruptTaken { .. }
            | TraceEvent::InterruptDone
            | TraceEvent::Paused { .. }
            | TraceEvent::Waits { .. }
            | TraceEvent::Cr3 { .. }
            | TraceEvent::Note { .. } => true,
            TraceEvent::IrqOff | TraceEvent::IrqOn => self.interrupts == Some(event),
            TraceEvent::Fence
            | TraceEvent::Walked { .. }
            | TraceEvent::Waited { .. }
            | TraceEvent::Locks { .. }
            | TraceEvent::Hypercall { .. }
            | TraceEvent::Returned => false,
        }
    }

    /// What each page stands for, in the words of the story.
    pub(super) fn legend(&self, recording: &Recording) -> Vec<String> {
        let of_page = |page: &u64| {
            let at: Vec<_> = recording.made.iter().flat_map(|made| places(made, *page)).collect();
            (!at.is_empty()).then(|| format!("  {page:#x} is {}", at.join(", then ")))
        };
        self.pages.iter().filter_map(of_page).collect()
    }
}

/// The words for the pages of a mapping that lie at an address.
fn places(made: &Made, va: u64) -> impl Iterator<Item = String> {
    let (mapping, event) = (made.mapping, made.event + 1);
    pages_of(made)
        .enumerate()
        .filter(move |(_, (at, _))| *at == va)
        .map(move |(page, (_, frame))| format!("{mapping}+{page} from event {event} on ({frame})"))
}

/// Where each page of a mapping lies, and its frame.
fn pages_of(made: &Made) -> impl Iterator<Item = (u64, Frame)> {
    made.frames.iter().enumerate().map(|(page, frame)| (address(made.range, page as u8), *frame))
}
