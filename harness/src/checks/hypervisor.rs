//! Rule 7, hypervisor: no entry leads to memory that is not the guest's, and it never lets a guest write a page table. On platforms that promise it, no writable entry and no
//! writable translation leads to a frame that is a table.
//!
//! Judged when an operation returned and no other is under way: while one is, the frame may be about to become a table,
//! or to cease to be one. Callers may make hypercalls of their own with pages that they gave up; it holds for them too. That the hypervisor refuses nothing is judged by the reference, at the outcome.
//!
//! Legal, and not seen here: translations under the hypervisor's own tag; read-only translations of tables; lazy aliases of frames that are no tables; on native, any
//! alias of a table that nobody uses.

use impls::hypervisor::xen::{GUEST, LINEAR_PCID};
use machine::paging::LEVELS;
use machine::tlb::TlbEntry;
use machine::{Bus, Entry, Flags, Frame, Role, Word};
use oracle::Rule;

use super::Breach;

/// No CPU has a writable translation to a table.
pub fn translations(bus: &Bus) -> Option<Breach> {
    (0..bus.cpus()).find_map(|cpu| {
        let tlb = bus.core(cpu).tlb();
        let wrong = tlb.leaves().iter().find(|leaf| {
            leaf.level == 1
                && leaf.flags.contains(Flags::WRITABLE)
                && is_table(bus, leaf.frame)
                && !is_of_the_hypervisor(leaf)
        })?;
        let detail = format!("the TLB of c{cpu} leads from {:#x} to {}", wrong.va, wrong.frame);
        let breach = Breach::new(Rule::Hypervisor, "a CPU can write a page table", detail);
        Some(breach.on(cpu).about([wrong.va], [wrong.frame]))
    })
}

/// No writable entry that a CPU's root reaches leads to a table.
pub fn entries(bus: &Bus) -> Option<Breach> {
    // Roots that are shared are looked at once.
    let root_of = |cpu: u8| bus.core(cpu).cr3().root;
    (0..bus.cpus())
        .filter(|cpu| (0..*cpu).all(|other| root_of(other) != root_of(*cpu)))
        .find_map(|cpu| below(bus, root_of(cpu), LEVELS))
}

fn below(bus: &Bus, table: Frame, level: u8) -> Option<Breach> {
    let mut from = 0;
    while let Some(index) = bus.memory.next_non_zero(table, from) {
        from = index + 1;
        let word = Word::new(table, index);
        let entry = Entry(bus.memory.peek(word));
        if !entry.present() {
            continue;
        }
        if level > 1 {
            if is_table(bus, entry.frame())
                && let Some(breach) = below(bus, entry.frame(), level - 1)
            {
                return Some(breach);
            }
        } else if entry.frame().0 < bus.memory.frames() && bus.memory.owner(entry.frame()) != GUEST {
            let detail = format!("entry {index} of {table} leads to {}", entry.frame());
            let breach = Breach::new(Rule::Hypervisor, "an entry leads to memory of another domain", detail);
            return Some(breach.about([], [entry.frame()]));
        } else if entry.has(Flags::WRITABLE) && is_table(bus, entry.frame()) {
            let detail = format!("entry {index} of {table} leads to {}", entry.frame());
            let breach = Breach::new(Rule::Hypervisor, "an entry lets a page table be written", detail);
            return Some(breach.about([], [entry.frame()]));
        }
    }
    None
}

/// Whether only the hypervisor uses a translation: that it writes page tables is its business.
fn is_of_the_hypervisor(leaf: &TlbEntry) -> bool {
    !leaf.global() && leaf.pcid == LINEAR_PCID
}

fn is_table(bus: &Bus, frame: Frame) -> bool {
    frame.0 < bus.memory.frames() && matches!(bus.memory.role(frame), Role::Table(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{VA, machine, map, map_with, page, switch_pcid, table, touch, unmap};
    use machine::Cr3;
    use machine::paging::index;

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
}
