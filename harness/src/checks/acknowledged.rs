//! Rule 7, hypervisor: an acknowledged update changes the entry that the guest's current tables reach.
//!
//! Judged when a caller's own update by address was acknowledged and nothing else ran beside it: then the entry for that
//! address, under the root of the CPU that asked, holds what was asked for. What the kernel maps is judged by rule 4, where the
//! tables must lead to its pages.
//!
//! Legal, and not seen here: what was refused; an entry that another operation changed meanwhile; accessed and dirty
//! bits, which are the hardware's.

use impls::astray::addresses;
use machine::paging::{LEVELS, index};
use machine::{Bus, Entry, Flags, Frame, Word};
use oracle::Rule;
use oracle::vocabulary::{Operation, Outcome, PageSlot, RawAccess, RawEntry};

use super::Breach;
use super::watch::{Check, Flight, View};

/// Looks at the entry of every update that was acknowledged and that nothing ran beside.
#[derive(Debug)]
pub struct Updates;

impl Check for Updates {
    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let Operation::HvUpdateVa { at, entry } = flight.call.operation else { return None };
        if !view.no_alias || !view.is_still() || view.overlapped || outcome != Outcome::Done {
            return None;
        }
        let root = view.bus.core(flight.cpu).cr3().root;
        // The table comes before the page that its entry is to lead to.
        check(view.bus, root, (at.table, at.index), entry, flight.frames().get(1).copied())
    }
}

/// What the hardware may set by itself.
const HARDWARE: u64 = Flags::ACCESSED.union(Flags::DIRTY).bits();

/// An update of the entry for the address behind an entry of a table was acknowledged. Where it was to lead to a page, that has
/// this frame.
pub fn check(
    bus: &Bus,
    root: Frame,
    (table, place): (PageSlot, u8),
    asked: RawEntry,
    frame: Option<Frame>,
) -> Option<Breach> {
    let wanted = match (asked, frame) {
        (RawEntry::Empty, _) => Entry::EMPTY,
        (RawEntry::Leads { access, .. }, Some(frame)) => Entry::new(frame, flags(access)),
        (RawEntry::Leads { .. }, None) => return None,
    };
    let reached = addresses(table, place).into_iter().find_map(|va| Some((va, reached(bus, root, va)?)));
    let Some((va, found)) = reached else {
        let detail = format!("no table for {:#x}", addresses(table, place)[0]);
        return Some(Breach::new(Rule::Hypervisor, WHAT, detail));
    };
    ((found.0 ^ wanted.0) & !HARDWARE != 0).then(|| {
        let detail = format!("{va:#x} was to be {wanted:?}, and the tables say {found:?}");
        Breach::new(Rule::Hypervisor, WHAT, detail).about([va], frame)
    })
}

const WHAT: &str = "an acknowledged update changed nothing that the tables reach";

fn flags(access: RawAccess) -> Flags {
    match access {
        RawAccess::Readable => Flags::PRESENT,
        RawAccess::Writable => Flags::PRESENT.union(Flags::WRITABLE),
        RawAccess::Large => Flags::PRESENT.union(Flags::WRITABLE).union(Flags::HUGE_PAGE),
    }
}

/// The lowest-level entry for an address, present or not, if the tables reach down so far.
fn reached(bus: &Bus, root: Frame, va: u64) -> Option<Entry> {
    let mut table = root;
    for level in (1..=LEVELS).rev() {
        if table.0 >= bus.memory.frames() {
            return None;
        }
        let entry = Entry(bus.memory.peek(Word::new(table, index(va, level))));
        if level == 1 {
            return Some(entry);
        }
        if !entry.present() || entry.has(Flags::HUGE_PAGE) {
            return None;
        }
        table = entry.frame();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{machine, page, table};
    use machine::Machine;
    use oracle::vocabulary::RawFrame;

    const PLACE: (PageSlot, u8) = (PageSlot::new(1), 2);
    const ASKED: RawEntry =
        RawEntry::Leads { to: RawFrame::Page(PageSlot::new(0)), access: RawAccess::Writable };

    /// A machine whose tables reach down to the first of the two addresses, and the word of its entry.
    fn linked() -> (Machine<crate::checks::workbench::Hands>, Word) {
        let machine = machine(1);
        let va = addresses(PLACE.0, PLACE.1)[0];
        for level in 2..=LEVELS {
            let entry = Entry::new(table(level - 1), Flags::PRESENT | Flags::WRITABLE);
            machine.bus().boot_word(Word::new(table(level), index(va, level)), entry.0);
        }
        (machine, Word::new(table(1), index(va, 1)))
    }

    #[test]
    fn an_update_that_went_elsewhere_is_a_breach_and_one_that_is_there_is_not() {
        let (machine, word) = linked();
        let frame = page(&machine, 8);
        let bus = machine.bus();
        let judge = |asked, frame| check(bus, table(LEVELS), PLACE, asked, frame);
        let breach = judge(ASKED, Some(frame)).expect("the entry is empty");
        assert_eq!((breach.rule, &*breach.what), (Rule::Hypervisor, WHAT));
        assert_eq!(judge(RawEntry::Empty, None), None);
        bus.boot_word(word, Entry::new(frame, Flags::PRESENT | Flags::WRITABLE | Flags::ACCESSED).0);
        assert_eq!(judge(ASKED, Some(frame)), None, "the accessed bit is the hardware's");
        assert!(judge(RawEntry::Empty, None).is_some());
        assert!(judge(ASKED, Some(page(&machine, 9))).is_some(), "another frame");
        bus.boot_word(word, Entry::new(frame, Flags::PRESENT).0);
        assert!(judge(ASKED, Some(frame)).is_some(), "less than was asked for");
        let asked = |access| RawEntry::Leads { to: RawFrame::Page(PageSlot::new(0)), access };
        let all = [RawAccess::Readable, RawAccess::Writable, RawAccess::Large];
        for (is, flags) in all.into_iter().zip([
            Flags::PRESENT,
            Flags::PRESENT | Flags::WRITABLE,
            Flags::PRESENT | Flags::WRITABLE | Flags::HUGE_PAGE,
        ]) {
            bus.boot_word(word, Entry::new(frame, flags | Flags::DIRTY).0);
            for access in all {
                assert_eq!(judge(asked(access), Some(frame)).is_none(), access == is, "{access:?}");
            }
        }
    }

    #[test]
    fn what_was_acknowledged_where_no_table_is_reached_is_a_breach() {
        let machine = machine(1);
        assert!(check(machine.bus(), table(LEVELS), PLACE, RawEntry::Empty, None).is_some());
    }
}
