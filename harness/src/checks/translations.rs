//! What the checks read of tables and TLBs: the roots that there are, the entries beneath one, and which cached leaves a
//! CPU may use. It stands here once, so that all rules mean the same by it. Nothing here judges anything.

use machine::paging::{LEVELS, WORDS, span};
use machine::tlb::TlbEntry;
use machine::{Bus, Core, Entry, Flags, Frame, Role};

/// The roots that are loaded, each once, with the first CPU that has it.
pub fn roots(bus: &Bus) -> impl Iterator<Item = (u8, Frame)> {
    let root_of = |cpu: u8| bus.core(cpu).cr3().root;
    (0..bus.cpus())
        .filter(move |cpu| (0..*cpu).all(|other| root_of(other) != root_of(*cpu)))
        .map(move |cpu| (cpu, root_of(cpu)))
}

/// Whether a CPU may use what it has cached: it executes, and the tag is the current one or the leaf is global. A CPU that a host took
/// away uses nothing: what it has is judged when it is given back.
pub fn usable(core: &Core, leaf: &TlbEntry) -> bool {
    !core.is_descheduled() && (leaf.global() || leaf.pcid == core.cr3().pcid)
}

/// The frames that a leaf of this level leads to, as far as the machine has them.
pub fn frames_behind(bus: &Bus, first: Frame, level: u8) -> impl Iterator<Item = Frame> {
    let (first, pages) = if level == 1 { (first.0, 1) } else { (first.large().0, WORDS as u32) };
    (first..first.saturating_add(pages)).map(Frame).filter(|frame| bus.memory.has(*frame))
}

/// An entry that is present, beneath a root.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The table that it stands in.
    pub table: Frame,
    /// Its number there.
    pub index: usize,
    /// The level of the table.
    pub level: u8,
    /// The entry.
    pub entry: Entry,
    /// Writable and no-execute, as all levels down to this one allow it together.
    pub flags: Flags,
    /// The first address that it covers.
    pub va: u64,
}

impl Seen {
    /// Whether a walk ends here: at the lowest level, or at a large page.
    pub fn is_leaf(&self) -> bool {
        self.level == 1 || self.entry.has(Flags::HUGE_PAGE)
    }
}

/// Shows every present entry beneath a root, upper ones before what is beneath them, until something is made of one. An
/// entry that any walk faults at is none: this machine has no larger pages than those of 2 MiB.
pub fn below<T>(bus: &Bus, root: Frame, mut show: impl FnMut(&Seen) -> Option<T>) -> Option<T> {
    beneath(bus, (root, LEVELS), 0, Flags::WRITABLE, &mut show)
}

/// The address whose low 48 bits these are.
const fn sign_extended(va: u64) -> u64 {
    ((va << 16).cast_signed() >> 16).cast_unsigned()
}

fn beneath<T>(
    bus: &Bus,
    (table, level): (Frame, u8),
    base: u64,
    flags: Flags,
    show: &mut impl FnMut(&Seen) -> Option<T>,
) -> Option<T> {
    for (index, value) in bus.memory.non_zero(table) {
        let entry = Entry(value);
        if !entry.present() || level > 2 && entry.has(Flags::HUGE_PAGE) {
            continue;
        }
        let (write, execute) =
            (flags & entry.flags() & Flags::WRITABLE, flags.union(entry.flags()) & Flags::NO_EXECUTE);
        let flags = write.union(execute);
        let va = base + index as u64 * span(level);
        let seen = Seen { table, index, level, entry, flags, va: sign_extended(va) };
        let found = show(&seen);
        if found.is_some() {
            return found;
        }
        let next = entry.frame();
        if !seen.is_leaf() && bus.memory.has(next) && matches!(bus.memory.role(next), Role::Table(_)) {
            let found = beneath(bus, (next, level - 1), va, flags, show);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{LARGE, VA, frame, machine, map_large, map_with, page, table};
    use machine::{Cr3, Word};

    fn leaves(bus: &Bus, root: Frame) -> Vec<(u64, Frame, u8, bool)> {
        let mut found = Vec::new();
        below(bus, root, |seen| {
            if seen.is_leaf() {
                found.push((seen.va, seen.entry.frame(), seen.level, seen.flags.contains(Flags::WRITABLE)));
            }
            None::<()>
        });
        found
    }

    #[test]
    fn every_leaf_is_shown_with_what_all_levels_allow() {
        let machine = machine(1);
        let bus = machine.bus();
        map_with(&machine, VA, page(&machine, 8), Flags::PRESENT | Flags::WRITABLE);
        map_with(&machine, VA + 4096, page(&machine, 9), Flags::PRESENT);
        map_with(&machine, VA + 8192, page(&machine, 10), Flags::WRITABLE);
        assert_eq!(leaves(bus, table(LEVELS)), [(VA, frame(8), 1, true), (VA + 4096, frame(9), 1, false)]);
        map_large(&machine, VA, Flags::WRITABLE);
        assert_eq!(leaves(bus, table(LEVELS)), [(VA, LARGE, 2, true)], "in the place of the lowest table");
        let third = Word::new(table(3), machine::paging::index(VA, 3));
        bus.boot_word(third, bus.memory.peek(third) | Flags::HUGE_PAGE.bits());
        assert_eq!(leaves(bus, table(LEVELS)), [], "a walk faults there");
    }

    #[test]
    fn a_leaf_ends_a_walk_whatever_it_leads_to() {
        let machine = machine(1);
        map_with(&machine, VA, table(3), Flags::PRESENT);
        assert_eq!(leaves(machine.bus(), table(LEVELS)), [(VA, table(3), 1, false)]);
        map_with(&machine, VA, frame(1 << 20), Flags::PRESENT);
        assert_eq!(leaves(machine.bus(), table(LEVELS)), [(VA, frame(1 << 20), 1, false)]);
    }

    #[test]
    fn addresses_of_either_half_are_shown_as_they_are() {
        let machine = machine(1);
        let bus = machine.bus();
        map_with(&machine, VA, page(&machine, 8), Flags::PRESENT);
        let entry = bus.memory.peek(Word::new(table(LEVELS), machine::paging::index(VA, LEVELS)));
        bus.boot_word(Word::new(table(LEVELS), 1), entry);
        let low = (VA & ((1 << 39) - 1)) | 1 << 39;
        let found: Vec<_> = leaves(bus, table(LEVELS)).into_iter().map(|leaf| leaf.0).collect();
        assert_eq!(found, [low, VA]);
    }

    #[test]
    fn what_is_made_of_an_entry_ends_the_search() {
        let machine = machine(1);
        map_with(&machine, VA, page(&machine, 8), Flags::PRESENT);
        map_with(&machine, VA + 4096, page(&machine, 9), Flags::PRESENT);
        let mut shown = 0;
        let found = below(machine.bus(), table(LEVELS), |seen| {
            shown += 1;
            (seen.level == 1).then_some(seen.va)
        });
        assert_eq!((found, shown), (Some(VA), 4));
    }

    #[test]
    fn roots_that_are_shared_are_told_once() {
        let machine = machine(3);
        assert_eq!(roots(machine.bus()).collect::<Vec<_>>(), [(0, table(LEVELS))]);
        machine.bus().memory.set_role(frame(20), Role::Table(LEVELS));
        machine.bus().boot_cr3(1, Cr3 { root: frame(20), pcid: 0 });
        assert_eq!(roots(machine.bus()).collect::<Vec<_>>(), [(0, table(LEVELS)), (1, frame(20))]);
    }

    #[test]
    fn a_large_leaf_leads_to_all_frames_of_its_page_that_there_are() {
        let machine = machine(1);
        let behind = |first, level| frames_behind(machine.bus(), first, level).collect::<Vec<_>>();
        assert_eq!(behind(frame(9), 1), [frame(9)]);
        assert_eq!(behind(frame(9), 2), (0..machine.bus().memory.frames()).map(frame).collect::<Vec<_>>());
        assert_eq!(behind(LARGE, 2).len(), WORDS);
        assert_eq!(behind(frame(machine.bus().memory.frames()), 1), []);
        assert_eq!(behind(frame(u32::MAX), 2), []);
    }
}
