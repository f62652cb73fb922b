//! Rule 3, user revocation: once the operation that removed or narrowed a mapping returned, no CPU in user mode can use a
//! translation that grants more than the possible states of the reference, or leads to another frame than they do; nor do the
//! tables lead to what is not mapped.
//!
//! Judged whenever a call returned. A CPU is in user mode when a thread of an address space has returned there, and until the next
//! event on it: so what it has cached from an earlier time is judged when the thread is back in user mode.
//!
//! Legal, and not seen here: a translation that any possible state allows, while operations overlap; one that allows less than the
//! tables do by now; one on a CPU that is in the kernel, or in another address space; entries that a walker cached of pages that
//! are mapped and were never touched.

use machine::tlb::TlbEntry;
use machine::{Bus, Flags, Frame, Mode};
use oracle::Rule;
use oracle::vocabulary::{MmSlot, Outcome, UserPage};
use oracle::{Reference, UserPageView};

use super::Breach;
use super::roots::Roots;
use super::translations::usable;
use super::watch::{Check, Flight, View};

/// Looks at the TLBs of CPUs in user mode, and at the tables that they walk.
#[derive(Debug, Default)]
pub struct UserMemory {
    roots: Roots,
}

impl Check for UserMemory {
    fn clear(&mut self) {
        self.roots.clear();
    }

    fn begins(&mut self, _: &View<'_>, flight: &Flight) {
        self.roots.begins(&flight.call.operation);
    }

    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        self.roots.ends(view.bus, flight.cpu, &flight.call.operation, outcome);
        self.look(view)
    }

    fn rest(&mut self, view: &View<'_>) -> Option<Breach> {
        self.look(view)
    }
}

impl UserMemory {
    fn look(&self, view: &View<'_>) -> Option<Breach> {
        self.roots.known().find_map(|(mm, root)| {
            let page_of = |page: u8| allowed(view.reference, mm, page);
            tables(view.bus, root, view.user_pages, page_of).or_else(|| {
                let inside = |cpu: &u8| {
                    let core = view.bus.core(*cpu);
                    core.mode() == Mode::User && core.cr3().root == root
                };
                let mut cpus = (0..view.bus.cpus()).filter(inside);
                cpus.find_map(|cpu| translations(view.bus, cpu, view.user_pages, page_of))
            })
        })
    }
}

fn allowed(reference: &Reference, mm: MmSlot, page: u8) -> UserPageView {
    reference.user_page(UserPage { mm, page })
}

/// The tables under a root lead nowhere from a page that is certainly not mapped.
fn tables(bus: &Bus, root: Frame, pages: &[u64], allowed: impl Fn(u8) -> UserPageView) -> Option<Breach> {
    (0..).zip(pages).find_map(|(page, &va)| {
        let seen = allowed(page);
        if seen.may_be_mapped || !seen.is_certain {
            return None;
        }
        let found = bus.mapped(root, va)?;
        let detail = format!("page {page} at {va:#x} is not mapped; the tables hold {:?}", found.entry);
        let breach = Breach::new(Rule::UserRevocation, "the tables lead to what is not mapped", detail);
        Some(breach.about([va], [found.frame_of(va)]))
    })
}

/// What a CPU in user mode can use is what the mapping allows, or may allow.
fn translations(bus: &Bus, cpu: u8, pages: &[u64], allowed: impl Fn(u8) -> UserPageView) -> Option<Breach> {
    let core = bus.core(cpu);
    let tlb = core.tlb();
    (0..).zip(pages).find_map(|(page, &va)| {
        let mut leaves = tlb.leaves().iter();
        let leaf = leaves.find(|leaf| leaf.covers(va) && usable(core, leaf))?;
        let what = wrong(bus, core.cr3().root, va, leaf, allowed(page))?;
        let frame = leaf.frame_of(va);
        let detail = format!("page {page} at {va:#x}: the TLB of c{cpu} leads to {frame}, {:?}", leaf.flags);
        Some(Breach::new(Rule::UserRevocation, what, detail).on(cpu).about([va], [frame]))
    })
}

fn wrong(bus: &Bus, root: Frame, va: u64, leaf: &TlbEntry, seen: UserPageView) -> Option<&'static str> {
    if !seen.may_be_mapped {
        return Some("a CPU can use a translation of memory that is unmapped");
    }
    if leaf.flags.contains(Flags::WRITABLE) && !seen.may_be_written {
        return Some("a CPU can write what may only be read");
    }
    if !seen.is_certain {
        return None;
    }
    let same = |now: &machine::Mapped| {
        let frame = leaf.frame_of(va);
        now.frame_of(va) == frame && leaf.incarnation == bus.memory.incarnation(leaf.frame)
    };
    match bus.mapped(root, va).filter(same) {
        None => Some("a CPU can use a translation of a page that is another by now"),
        Some(now) if leaf.flags.contains(Flags::WRITABLE) && !now.flags.contains(Flags::WRITABLE) => {
            Some("a CPU can write what may only be read")
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{VA, machine, map_with, page, table, touch, unmap, write};
    use machine::paging::LEVELS;

    const CERTAIN: UserPageView =
        UserPageView { may_be_mapped: true, may_be_written: true, is_certain: true };
    const NONE: UserPageView = UserPageView { may_be_mapped: false, may_be_written: false, is_certain: true };
    const READABLE: UserPageView = UserPageView { may_be_written: false, ..CERTAIN };

    fn what(breach: Option<Breach>) -> Option<String> {
        breach.map(|breach| breach.what.into_owned())
    }

    fn cached(bus: &Bus, seen: UserPageView) -> Option<String> {
        what(translations(bus, 0, &[VA], |_| seen))
    }

    #[test]
    fn tables_that_lead_to_what_is_not_mapped_are_a_breach_unless_it_may_be_mapped_still() {
        let machine = machine(1);
        let look = |seen| what(tables(machine.bus(), table(LEVELS), &[VA], |_| seen));
        assert_eq!(look(NONE), None);
        map_with(&machine, VA, page(&machine, 8), Flags::PRESENT | Flags::WRITABLE);
        assert_eq!(look(NONE).as_deref(), Some("the tables lead to what is not mapped"));
        assert_eq!(look(UserPageView { is_certain: false, ..NONE }), None, "it is on its way out");
        assert_eq!(look(CERTAIN), None);
    }

    #[test]
    fn a_translation_of_what_is_unmapped_is_a_breach_and_one_of_what_may_be_mapped_is_not() {
        let mut machine = machine(1);
        map_with(&machine, VA, page(&machine, 8), Flags::PRESENT);
        touch(&mut machine, 0, VA);
        assert_eq!(cached(machine.bus(), CERTAIN), None);
        unmap(&machine, VA);
        let unmapped = "a CPU can use a translation of memory that is unmapped";
        assert_eq!(cached(machine.bus(), NONE).as_deref(), Some(unmapped));
        assert_eq!(cached(machine.bus(), UserPageView { is_certain: false, ..CERTAIN }), None);
    }

    #[test]
    fn a_translation_that_allows_too_much_is_a_breach_and_one_that_allows_less_is_not() {
        let mut machine = machine(1);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, Flags::PRESENT | Flags::WRITABLE);
        write(&mut machine, 0, VA);
        let writes = Some("a CPU can write what may only be read");
        assert_eq!(cached(machine.bus(), READABLE).as_deref(), writes);
        assert_eq!(cached(machine.bus(), CERTAIN), None);
        map_with(&machine, VA, frame, Flags::PRESENT);
        assert_eq!(cached(machine.bus(), CERTAIN).as_deref(), writes, "the tables allow less");
        machine.bus().flush_from_outside(0);
        touch(&mut machine, 0, VA);
        map_with(&machine, VA, frame, Flags::PRESENT | Flags::WRITABLE);
        assert_eq!(cached(machine.bus(), CERTAIN), None, "less than the tables do");
    }

    #[test]
    fn a_translation_of_another_page_is_a_breach_once_nothing_overlaps() {
        let mut machine = machine(1);
        map_with(&machine, VA, page(&machine, 8), Flags::PRESENT);
        touch(&mut machine, 0, VA);
        map_with(&machine, VA, page(&machine, 9), Flags::PRESENT);
        let another = Some("a CPU can use a translation of a page that is another by now");
        assert_eq!(cached(machine.bus(), CERTAIN).as_deref(), another);
        assert_eq!(cached(machine.bus(), UserPageView { is_certain: false, ..CERTAIN }), None);
        unmap(&machine, VA);
        assert_eq!(cached(machine.bus(), CERTAIN).as_deref(), another, "and where there is no entry");
    }
}
