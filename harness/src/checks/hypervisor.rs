//! Rule 7, hypervisor: no entry leads to memory that is not the guest's, and it never lets a guest write a page table. On
//! platforms that promise it, no writable entry and no writable translation leads to a frame that is a table. A large leaf
//! is judged by every page that it leads to.
//!
//! Judged when an operation returned and no other is under way: while one is, the frame may be about to become a table,
//! or to cease to be one. Callers may make hypercalls of their own with pages that they gave up; it holds for them too.
//! That the hypervisor refuses nothing is judged by the reference, at the outcome.
//!
//! Legal, and not seen here: translations under the hypervisor's own tag; read-only translations of tables; lazy
//! aliases of frames that are no tables; on native, any alias of a table that no CPU uses.

use impls::hypervisor::xen::{GUEST, LINEAR_PCID};
use machine::tlb::TlbEntry;
use machine::{Bus, Flags, Frame, Role};
use oracle::Rule;
use oracle::vocabulary::{Operation, Outcome};

use super::Breach;
use super::other_domain;
use super::translations::{Seen, below, frames_behind, roots};
use super::watch::{Check, Flight, View};

/// Looks at the entries when a caller has made tables, or changed them by hypercalls of its own.
#[derive(Debug)]
pub struct Entries;

impl Check for Entries {
    fn ends(&mut self, view: &View<'_>, flight: &Flight, _: Outcome) -> Option<Breach> {
        let changes = match flight.call.operation {
            Operation::MakeTable { .. }
            | Operation::PinTree { .. }
            | Operation::HvUpdate { .. }
            | Operation::HvUpdateVa { .. }
            | Operation::HvPin { .. }
            | Operation::HvUnpin { .. }
            | Operation::HvExchange { .. }
            | Operation::HvWrite { .. }
            | Operation::HvLoadRoot { .. }
            | Operation::HvFlush {} => view.no_alias && view.is_still(),
            _ => false,
        };
        if changes { entries(view.bus) } else { None }
    }

    fn rest(&mut self, view: &View<'_>) -> Option<Breach> {
        if view.no_alias { entries(view.bus) } else { None }
    }
}

/// Looks at the translations whenever all stands still.
#[derive(Debug)]
pub struct Translations;

impl Check for Translations {
    fn ends(&mut self, view: &View<'_>, _: &Flight, _: Outcome) -> Option<Breach> {
        if view.no_alias && view.is_still() { translations(view.bus) } else { None }
    }

    fn rest(&mut self, view: &View<'_>) -> Option<Breach> {
        if !view.no_alias {
            return None;
        }
        translations(view.bus).or_else(|| other_domain::translations(view.bus))
    }
}

/// No CPU has a writable translation to a table.
pub fn translations(bus: &Bus) -> Option<Breach> {
    (0..bus.cpus()).find_map(|cpu| {
        let tlb = bus.core(cpu).tlb();
        tlb.leaves().iter().find_map(|leaf| {
            if !leaf.flags.contains(Flags::WRITABLE) || is_of_the_hypervisor(leaf) {
                return None;
            }
            let table = frames_behind(bus, leaf.frame, leaf.level).find(|frame| is_table(bus, *frame))?;
            let detail = format!("the TLB of c{cpu} leads from {:#x} to {table}", leaf.va);
            let breach = Breach::new(Rule::Hypervisor, "a CPU can write a page table", detail);
            Some(breach.on(cpu).about([leaf.va], [table]))
        })
    })
}

/// No entry that a CPU's root reaches leads to memory that is not the guest's, and no writable one to a table.
pub fn entries(bus: &Bus) -> Option<Breach> {
    roots(bus)
        .find_map(|(_, root)| below(bus, root, |seen| foreign(bus, seen).or_else(|| writable(bus, seen))))
}

/// No entry that a CPU's root reaches leads to memory that is not the guest's: this holds
/// whichever operation is under way.
pub fn foreign_entries(bus: &Bus) -> Option<Breach> {
    roots(bus).find_map(|(_, root)| below(bus, root, |seen| foreign(bus, seen)))
}

/// The frames that an entry leads to: the table beneath, or all pages of a leaf.
fn led_to(bus: &Bus, seen: &Seen) -> impl Iterator<Item = Frame> {
    frames_behind(bus, seen.entry.frame(), if seen.is_leaf() { seen.level } else { 1 })
}

fn foreign(bus: &Bus, seen: &Seen) -> Option<Breach> {
    let frame = led_to(bus, seen).find(|frame| bus.memory.owner(*frame) != GUEST)?;
    Some(wrong(seen, frame, "an entry leads to memory of another domain"))
}

fn writable(bus: &Bus, seen: &Seen) -> Option<Breach> {
    if !seen.is_leaf() || !seen.entry.has(Flags::WRITABLE) {
        return None;
    }
    let frame = led_to(bus, seen).find(|frame| is_table(bus, *frame))?;
    Some(wrong(seen, frame, "an entry lets a page table be written"))
}

fn wrong(seen: &Seen, frame: Frame, what: &'static str) -> Breach {
    let Seen { table, index, level, .. } = seen;
    let detail = format!("entry {index} of {table}, of level {level}, leads to {frame}");
    Breach::new(Rule::Hypervisor, what, detail).about([], [frame])
}

/// Whether only the hypervisor uses a translation: that it writes page tables is its business.
fn is_of_the_hypervisor(leaf: &TlbEntry) -> bool {
    !leaf.global() && leaf.pcid == LINEAR_PCID
}

fn is_table(bus: &Bus, frame: Frame) -> bool {
    bus.memory.has(frame) && matches!(bus.memory.role(frame), Role::Table(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{LARGE, map_large};
    use crate::checks::workbench::{VA, machine, map, map_with, page, switch_pcid, table, touch, unmap};
    use machine::paging::{LEVELS, index};
    use machine::{Cr3, Word};

    #[test]
    fn a_writable_translation_of_a_table_is_a_breach() {
        let mut machine = machine(2);
        let page = page(&machine, 8);
        map(&machine, VA, page);
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        assert_eq!(translations(machine.bus()), None, "a lazy alias of a page of data is legal");
        machine.bus().memory.set_role(page, Role::Table(1));
        let breach = translations(machine.bus()).expect("c1 can write it");
        assert_eq!((breach.rule, breach.cpu), (Rule::Hypervisor, Some(1)));
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA], vec![page]));
        assert_eq!(entries(machine.bus()), None);
    }

    #[test]
    fn the_hypervisor_may_write_tables_under_its_own_tag() {
        for (pcid, legal) in [(LINEAR_PCID, true), (0, false)] {
            let mut machine = machine(1);
            let page = page(&machine, 8);
            map_with(&machine, VA, page, Flags::PRESENT | Flags::WRITABLE);
            switch_pcid(&machine, 0, pcid);
            touch(&mut machine, 0, VA);
            unmap(&machine, VA);
            machine.bus().memory.set_role(page, Role::Table(1));
            assert_eq!(translations(machine.bus()).is_none(), legal);
        }
    }

    #[test]
    fn a_writable_entry_for_a_table_is_a_breach() {
        let machine = machine(1);
        let page = page(&machine, 8);
        map(&machine, VA, page);
        assert_eq!(entries(machine.bus()), None);
        machine.bus().memory.set_role(page, Role::Table(1));
        assert_eq!(entries(machine.bus()).map(|breach| breach.rule), Some(Rule::Hypervisor));
    }

    #[test]
    fn the_roots_of_all_cpus_are_looked_at() {
        let machine = machine(3);
        let (page, root) = (page(&machine, 8), page(&machine, 9));
        map(&machine, VA, page);
        machine.bus().memory.set_role(page, Role::Table(1));
        machine.bus().memory.set_role(root, Role::Table(LEVELS));
        let top = Word::new(table(LEVELS), index(VA, LEVELS));
        machine.bus().boot_word(Word::new(root, index(VA, LEVELS)), machine.bus().memory.peek(top));
        machine.bus().boot_word(top, 0);
        assert_eq!(entries(machine.bus()), None, "no root reaches it");
        machine.bus().boot_cr3(1, Cr3 { root, pcid: 0 });
        assert_eq!(entries(machine.bus()).map(|breach| breach.about.frames), Some(vec![page]));
    }

    #[test]
    fn an_entry_that_leads_to_memory_of_another_owner_is_a_breach() {
        let machine = machine(1);
        let page = page(&machine, 8);
        map_with(&machine, VA, page, Flags::PRESENT);
        assert_eq!(entries(machine.bus()), None);
        machine.bus().memory.set_owner(page, 1);
        let breach = entries(machine.bus()).expect("it can be read");
        assert_eq!(breach.what, "an entry leads to memory of another domain");
    }

    #[test]
    fn what_is_not_present_or_leads_out_of_memory_lets_nobody_write_a_table() {
        let machine = machine(1);
        let page = page(&machine, 8);
        machine.bus().memory.set_role(page, Role::Table(1));
        map_with(&machine, VA, page, Flags::WRITABLE);
        map(&machine, VA + 4096, Frame(machine.bus().memory.frames()));
        assert_eq!(entries(machine.bus()), None);
        map_with(&machine, VA, page, Flags::WRITABLE | Flags::PRESENT);
        assert!(entries(machine.bus()).is_some());
    }

    #[test]
    fn a_table_may_be_read_through_an_alias() {
        let mut machine = machine(1);
        let page = page(&machine, 8);
        machine.bus().memory.set_role(page, Role::Table(1));
        map_with(&machine, VA, page, Flags::PRESENT | Flags::NO_EXECUTE);
        touch(&mut machine, 0, VA);
        assert_eq!((translations(machine.bus()), entries(machine.bus())), (None, None));
    }

    #[test]
    fn a_large_leaf_is_judged_by_each_of_its_pages() {
        let mut machine = machine(2);
        map_large(&machine, VA, Flags::WRITABLE);
        touch(&mut machine, 1, VA);
        assert_eq!(
            (entries(machine.bus()), translations(machine.bus())),
            (None, None),
            "data of the guest's"
        );
        let small = Word::new(table(2), index(VA, 2));
        machine.bus().memory.set_role(LARGE, Role::Table(1));
        assert_eq!(&*translations(machine.bus()).expect("c1 can").what, "a CPU can write a page table");
        assert_eq!(&*entries(machine.bus()).expect("a table").what, "an entry lets a page table be written");
        map_large(&machine, VA, Flags::empty());
        assert_eq!(entries(machine.bus()), None, "it may be read");
        machine.bus().memory.set_role(LARGE, Role::Data);
        machine.bus().memory.set_owner(LARGE, 1);
        assert_eq!(entries(machine.bus()), foreign_entries(machine.bus()));
        let breach = entries(machine.bus()).expect("it can be read");
        assert_eq!(&*breach.what, "an entry leads to memory of another domain");
        // Whatever the number of its frame, a large leaf leads to everything beside it.
        let page = page(&machine, 8);
        machine.bus().boot_word(small, machine::Entry::new(page, Flags::PRESENT | Flags::HUGE_PAGE).0);
        machine.bus().memory.set_owner(Frame(20), 1);
        assert_eq!(entries(machine.bus()).expect("f20 is beside it").about.frames, [Frame(20)]);
    }

    #[test]
    fn an_upper_entry_that_leads_to_memory_of_another_owner_is_a_breach() {
        let machine = machine(1);
        assert_eq!(foreign_entries(machine.bus()), None);
        machine.bus().memory.set_owner(table(1), 1);
        let breach = foreign_entries(machine.bus()).expect("the entry of level 2");
        assert_eq!(breach.about.frames, [table(1)]);
    }
}
