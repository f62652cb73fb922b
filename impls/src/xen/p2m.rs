//! Pseudo-physical to machine translation: the kernel numbers its frames from 0 without gaps, and the hypervisor gave it
//! the frames that it had. The frame behind a page changes only while no caller uses the page.
//!
//! There are two tables, and each is the other read backwards. They hold every frame that the guest owns once, and no other frame.
//! A page with a frame of another owner makes its user read and write there; a frame that two pages have is written by two users.

use crate::hypervisor::xen::GUEST;
use crate::paravirt::Pfn;
use machine::{Bus, Frame};
use std::cell::Cell;

/// Instead of a frame: the frame behind the page is being exchanged (`INVALID_P2M_ENTRY`).
const NO_FRAME: Frame = Frame(u32::MAX);

/// Instead of a page: the frame does not belong to the kernel.
const NO_PAGE: Pfn = Pfn(u32::MAX);

/// What is said of the tables where they are wrong, before the details.
const MISMATCH: &str = "the guest's pages and frames do not match one to one";

/// Both directions (`p2m` and `m2p`).
#[derive(Debug)]
pub(super) struct P2m {
    frames: Vec<Cell<Frame>>,
    pfns: Vec<Cell<Pfn>>,
    /// Whether they are other than in the beginning, when each is the other read backwards.
    changed: Cell<bool>,
}

impl P2m {
    /// The frames that the hypervisor gave, in the order of the kernel's numbers, on a machine of this many frames.
    pub(super) fn new(list: impl Iterator<Item = Frame>, machine_frames: u32) -> Self {
        let pfns = vec![Cell::new(NO_PAGE); machine_frames as usize];
        let number = |(pfn, frame): (u32, Frame)| {
            pfns[frame.index()].set(Pfn(pfn));
            Cell::new(frame)
        };
        let frames = (0..).zip(list).map(number).collect();
        Self { frames, pfns, changed: Cell::new(false) }
    }

    pub(super) fn frame_of(&self, pfn: Pfn) -> Frame {
        let frame = self.frames[pfn.index()].get();
        assert!(frame != NO_FRAME, "{pfn:?} is used while it has no frame");
        frame
    }

    pub(super) fn pfn_of(&self, frame: Frame) -> Option<Pfn> {
        self.pfns.get(frame.index()).map(Cell::get).filter(|pfn| *pfn != NO_PAGE)
    }

    /// Takes the frame away from this page. Returns the frame.
    pub(super) fn zap(&self, pfn: Pfn) -> Frame {
        let frame = self.frame_of(pfn);
        self.changed.set(true);
        self.frames[pfn.index()].set(NO_FRAME);
        self.pfns[frame.index()].set(NO_PAGE);
        frame
    }

    /// Puts this frame behind the page.
    pub(super) fn set(&self, pfn: Pfn, frame: Frame) {
        self.changed.set(true);
        self.frames[pfn.index()].set(frame);
        self.pfns[frame.index()].set(pfn);
    }

    /// Where the two tables contradict each other, or the machine on which frames the guest owns; empty if nowhere. Not
    /// valid during an exchange: a page whose frame is on its way has none.
    pub(super) fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_own = |frame: Frame| bus.memory.has(frame) && bus.memory.owner(frame) == GUEST;
        // Most stories exchange nothing: then the owners alone can have changed, and those of touched frames only.
        let as_owned = |frame: &Frame| is_own(*frame) == self.pfn_of(*frame).is_some();
        if !self.changed.get() && bus.memory.touched().iter().all(as_owned) {
            return wrong;
        }
        let pages = (0..).map(Pfn).zip(self.frames.iter().map(Cell::get));
        for (pfn, frame) in pages.filter(|(_, frame)| *frame != NO_FRAME) {
            if !is_own(frame) {
                wrong.push(format!("{MISMATCH}: {pfn:?} has {frame}, which is not the guest's"));
            } else if self.pfn_of(frame) != Some(pfn) {
                wrong.push(format!("{MISMATCH}: {pfn:?} has {frame}, which leads back to another page"));
            }
        }
        let frames = (0..).map(Frame).zip(self.pfns.iter().map(Cell::get));
        for (frame, pfn) in frames {
            if pfn == NO_PAGE {
                if is_own(frame) {
                    wrong.push(format!("{MISMATCH}: {frame} is the guest's, and no page has it"));
                }
            } else if self.frames[pfn.index()].get() != frame {
                wrong.push(format!("{MISMATCH}: {frame} leads back to {pfn:?}, which has another"));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypervisor::xen::{HEAP, frame_list, machine_frames};
    use crate::sizes::Sizes;
    use machine::{Config, Machine, Software, Temperament};

    #[derive(Debug)]
    struct Nothing;

    impl Software for Nothing {
        type Operation = ();
        type Outcome = ();

        fn run(&self, _: &machine::Cpu<'_>, (): ()) {}

        fn interrupt(&self, _: &machine::Cpu<'_>, _: machine::Interrupt) {}
    }

    fn p2m() -> P2m {
        P2m::new(frame_list(Sizes::Tiny), machine_frames(Sizes::Tiny))
    }

    /// All that is not the guest's belongs to the heap.
    fn machine_of_the_heap() -> Machine<Nothing> {
        let frames = machine_frames(Sizes::Tiny);
        let config = Config { cpus: 1, frames, temperament: Temperament::empty(), ..Config::default() };
        let machine = Machine::new(config, |_| Nothing);
        for frame in (0..frames).map(Frame).filter(|frame| p2m().pfn_of(*frame).is_none()) {
            machine.bus().memory.set_owner(frame, HEAP);
        }
        machine
    }

    /// What `leftovers` says of a guest's tables when these frames belong to the heap, after this change.
    fn said(to_the_heap: &[Frame], change: impl Fn(&P2m)) -> Vec<String> {
        let (machine, p2m) = (machine_of_the_heap(), p2m());
        let bus = machine.bus();
        for frame in to_the_heap {
            bus.memory.set_owner(*frame, HEAP);
        }
        change(&p2m);
        let details = |said: &String| {
            let (what, detail) = said.split_once(": ").expect("details");
            assert_eq!(what, MISMATCH);
            detail.to_owned()
        };
        p2m.leftovers(bus).iter().map(details).collect()
    }

    fn frame(pfn: u32) -> Frame {
        frame_list(Sizes::Tiny).nth(pfn as usize).expect("a page of the guest's")
    }

    #[test]
    fn a_page_that_gave_its_frame_away_and_one_that_changed_with_another_are_in_order() {
        assert_eq!(said(&[], |_| {}), Vec::<String>::new());
        assert_eq!(said(&[frame(3)], |p2m| assert_eq!(p2m.zap(Pfn(3)), frame(3))), Vec::<String>::new());
        let swap = |p2m: &P2m| {
            let (one, other) = (p2m.zap(Pfn(3)), p2m.zap(Pfn(5)));
            p2m.set(Pfn(3), other);
            p2m.set(Pfn(5), one);
        };
        assert_eq!(said(&[], swap), Vec::<String>::new());
    }

    #[test]
    fn a_frame_that_came_to_the_guest_without_a_page_is_told_though_no_page_changed() {
        let mut frames = (0..machine_frames(Sizes::Tiny)).map(Frame);
        let free = frames.find(|frame| p2m().pfn_of(*frame).is_none()).expect("the heap has frames");
        let gave = |owner: u8| {
            let machine = machine_of_the_heap();
            machine.bus().memory.set_owner(free, owner);
            p2m().leftovers(machine.bus()).len()
        };
        assert_eq!((gave(HEAP), gave(GUEST)), (0, 1));
    }

    #[test]
    fn a_page_with_a_frame_of_another_owner_is_told() {
        let (own, none) = (frame(3), Frame(machine_frames(Sizes::Tiny)));
        assert_eq!(said(&[own], |_| {}), [format!("pfn3 has {own}, which is not the guest's")]);
        let beyond = |p2m: &P2m| {
            p2m.zap(Pfn(3));
            p2m.frames[3].set(none);
        };
        let expected = [
            format!("pfn3 has {none}, which is not the guest's"),
            format!("{own} is the guest's, and no page has it"),
        ];
        assert_eq!(said(&[], beyond), expected);
    }

    #[test]
    fn two_pages_that_have_one_frame_are_told() {
        let twice = |p2m: &P2m| {
            p2m.zap(Pfn(5));
            p2m.set(Pfn(5), p2m.frame_of(Pfn(3)));
        };
        let expected = [
            format!("pfn3 has {}, which leads back to another page", frame(3)),
            format!("{} is the guest's, and no page has it", frame(5)),
        ];
        assert_eq!(said(&[], twice), expected);
    }

    #[test]
    fn a_frame_that_still_leads_back_to_a_page_that_has_another_is_told() {
        let kept = |p2m: &P2m| {
            let other = p2m.zap(Pfn(5));
            p2m.set(Pfn(3), other);
        };
        assert_eq!(said(&[], kept), [format!("{} leads back to pfn3, which has another", frame(3))]);
    }
}
