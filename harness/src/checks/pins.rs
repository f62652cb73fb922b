//! Rule 6 for pins: a pin names a page that was mapped there at some moment of the call, and a pinned page is not freed.
//!
//! Judged when pins are returned, and from then on whenever a call returned. Which frames the entries for a page led to during a
//! call the machine remembers.
//!
//! Legal, and not seen here: fewer pins than were asked for; a pin of a page that is mapped there no more; pins of one page by two
//! callers.

use machine::{Bus, Frame, Role};
use oracle::Rule;
use oracle::vocabulary::{Operation, Outcome, PinSlot, Pinned, SLOTS, UserRange};

use super::Breach;
use super::roots::Roots;
use super::watch::{Check, Flight, View};

/// A pin: the frame, in which use of it.
type Pin = (Frame, u32);

/// A call under way that pins pages.
#[derive(Clone, Copy, Debug)]
struct Pinning {
    event: u16,
    /// The root of its address space, if that was known when it began.
    root: Option<Frame>,
}

/// Follows every pin.
#[derive(Debug, Default)]
pub struct Pins {
    roots: Roots,
    open: [Vec<Pin>; SLOTS as usize],
    any: bool,
    pinning: Vec<Pinning>,
}

impl Check for Pins {
    fn clear(&mut self) {
        self.roots.clear();
        if std::mem::take(&mut self.any) {
            self.open.iter_mut().for_each(Vec::clear);
            self.pinning.clear();
        }
    }

    fn begins(&mut self, view: &View<'_>, flight: &Flight) {
        self.roots.begins(&flight.call.operation);
        match flight.call.operation {
            Operation::GupFast { at, .. } | Operation::Gup { at, .. } | Operation::GupForced { at, .. } => {
                self.any = true;
                let root = self.roots.of(at.mm);
                for (root, va) in root.into_iter().flat_map(|root| addresses(root, view.user_pages, at)) {
                    view.bus.watch(root, va);
                }
                self.pinning.push(Pinning { event: flight.event, root });
            }
            Operation::Unpin { pins } => self.open[pins.index()].clear(),
            _ => {}
        }
    }

    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        self.roots.ends(view.bus, flight.cpu, &flight.call.operation, outcome);
        if !self.any {
            return None;
        }
        let mut wrong = None;
        if let Operation::GupFast { at, pins, .. }
        | Operation::Gup { at, pins, .. }
        | Operation::GupForced { at, pins } = flight.call.operation
        {
            let found = self.pinning.iter().position(|one| one.event == flight.event);
            let began = found.map(|found| self.pinning.remove(found));
            if let Outcome::Pinned(pinned) = outcome {
                let root = began.and_then(|began| began.root);
                wrong = named(view.bus, view.user_pages, at, pinned, root);
                self.pinned(view.bus, pins, pinned);
            }
            if self.pinning.is_empty() {
                view.bus.stop_watching();
            }
        }
        wrong.or_else(|| self.look(view.bus))
    }

    fn rest(&mut self, view: &View<'_>) -> Option<Breach> {
        self.look(view.bus)
    }
}

impl Pins {
    fn pinned(&mut self, bus: &Bus, pins: PinSlot, pinned: Pinned) {
        let frames = pinned.frames.into_iter().take(pinned.count.into()).map(Frame);
        let frames = frames.filter(|frame| bus.memory.has(*frame));
        self.open[pins.index()].extend(frames.map(|frame| pin(bus, frame)));
    }

    /// Every pinned page is what it was.
    fn look(&self, bus: &Bus) -> Option<Breach> {
        let freed = |(frame, incarnation): &Pin| {
            bus.memory.role(*frame) != Role::Data || bus.memory.incarnation(*frame) != *incarnation
        };
        let (frame, _) = self.open.iter().flatten().find(|pin| freed(pin))?;
        let detail = format!("{frame} is pinned, and was put to another use");
        Some(Breach::new(Rule::Frames, "a pinned page was freed", detail).about([], [*frame]))
    }
}

/// The pages of a range beneath a root.
fn addresses(root: Frame, pages: &[u64], at: UserRange) -> impl Iterator<Item = (Frame, u64)> {
    at.pages().filter_map(move |page| Some((root, *pages.get(usize::from(page))?)))
}

/// What is wrong with the frames that a call pinned, if anything.
fn named(bus: &Bus, pages: &[u64], at: UserRange, pinned: Pinned, root: Option<Frame>) -> Option<Breach> {
    let frames = pinned.frames.into_iter().take(pinned.count.into()).map(Frame);
    at.pages().zip(frames).find_map(|(page, frame)| {
        let va = *pages.get(usize::from(page))?;
        let breach = |what, detail| Some(Breach::new(Rule::Frames, what, detail).about([va], [frame]));
        if !bus.memory.has(frame) || bus.memory.role(frame) != Role::Data {
            let detail = format!("page {page} at {va:#x} was pinned as {frame}, which is no page of data");
            return breach("a pin names a frame that is no page", detail);
        }
        let was_there = root.is_none_or(|root| {
            let there = |led: &machine::Led| (led.root, led.va) == (root, va);
            let pinned = pin(bus, frame);
            bus.led().iter().filter(|led| there(led)).any(|led| (led.frame, led.incarnation) == pinned)
        });
        if was_there {
            return None;
        }
        let detail = format!("page {page} at {va:#x} was pinned as {frame}, and never led there meanwhile");
        breach("a pin names a page that was not mapped there", detail)
    })
}

/// A frame in the use that it is in now.
fn pin(bus: &Bus, frame: Frame) -> Pin {
    (frame, bus.memory.incarnation(frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{VA, machine, map, page, table};
    use machine::paging::LEVELS;
    use oracle::vocabulary::MmSlot;

    const AT: UserRange = UserRange { mm: MmSlot::new(0), page: 0, count: 1 };

    fn of(frame: Frame) -> Pinned {
        Pinned { count: 1, frames: [frame.0, 0, 0, 0, 0, 0, 0, 0] }
    }

    fn what(breach: Option<Breach>) -> Option<String> {
        breach.map(|breach| breach.what.into_owned())
    }

    #[test]
    fn a_pin_of_what_was_never_mapped_there_is_a_breach_and_one_of_what_was_is_not() {
        let machine = machine(1);
        let (bus, first, second) = (machine.bus(), page(&machine, 8), page(&machine, 9));
        map(&machine, VA, first);
        addresses(table(LEVELS), &[VA], AT).for_each(|(root, va)| bus.watch(root, va));
        let look = |frame| what(named(bus, &[VA], AT, of(frame), Some(table(LEVELS))));
        assert_eq!(look(first), None);
        assert_eq!(look(second).as_deref(), Some("a pin names a page that was not mapped there"));
        map(&machine, VA + 4096, second);
        assert!(look(second).is_some(), "it is mapped elsewhere");
        map(&machine, VA, second);
        map(&machine, VA, first);
        assert_eq!(look(second), None, "for a moment it was");
        bus.memory.set_role(first, Role::Free);
        page(&machine, 8);
        assert!(look(first).is_some(), "it was freed meanwhile, and is another's");
        assert_eq!(what(named(bus, &[VA], AT, of(second), None)), None, "where the root is not known");
    }

    #[test]
    fn a_pin_of_a_free_frame_or_a_table_is_a_breach() {
        let machine = machine(1);
        let free = page(&machine, 8);
        machine.bus().memory.set_role(free, Role::Free);
        for frame in [free, table(1), Frame(1 << 20)] {
            let found = what(named(machine.bus(), &[VA], AT, of(frame), None));
            assert_eq!(found.as_deref(), Some("a pin names a frame that is no page"), "{frame}");
        }
    }

    #[test]
    fn a_pinned_page_that_is_freed_is_a_breach_and_one_that_is_unmapped_is_not() {
        let machine = machine(1);
        let (bus, frame) = (machine.bus(), page(&machine, 8));
        let mut pins = Pins::default();
        pins.pinned(bus, PinSlot::new(0), of(frame));
        map(&machine, VA, frame);
        assert_eq!(pins.look(bus), None);
        crate::checks::workbench::unmap(&machine, VA);
        assert_eq!(pins.look(bus), None);
        bus.memory.set_role(frame, Role::Free);
        assert_eq!(what(pins.look(bus)).as_deref(), Some("a pinned page was freed"));
        page(&machine, 8);
        assert_eq!(what(pins.look(bus)).as_deref(), Some("a pinned page was freed"), "and is another's");
    }
}
