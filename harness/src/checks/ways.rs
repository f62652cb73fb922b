//! The ways to a page: every translation that a CPU may use, or may make at any time. For the checks that hold all of them
//! against each other.
//!
//! Whose addresses they are for does not matter here, nor that an alias was unmapped.

use machine::paging::{LARGE_MEMORY, WORDS};
use machine::tlb::memory_type;
use machine::{Bus, Flags, Frame};

use super::translations::{Seen, below, frames_behind, roots, usable};

/// A translation: in the TLB of a CPU, or in the tables, at an address.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The CPU that may use it.
    pub cpu: u8,
    /// The address.
    pub va: u64,
    /// Whether it is in a TLB.
    pub cached: bool,
    /// Writable and no-execute, combined over the levels.
    pub flags: Flags,
    /// The memory type, as an index into the page-attribute table.
    pub memory_type: u8,
}

impl Way {
    /// Words for people.
    pub fn describe(&self) -> String {
        let Self { cpu, va, .. } = self;
        if self.cached {
            format!("the TLB of c{cpu} leads there from {va:#x}")
        } else {
            format!("the tables lead there from {va:#x}")
        }
    }
}

/// What a translation leads to, and what it allows.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    first: Frame,
    pages: u32,
    /// Writable and no-execute, combined over the levels.
    pub flags: Flags,
}

impl Reach {
    fn of(frame: Frame, level: u8, flags: Flags) -> Self {
        let (first, pages) = if level == 1 { (frame, 1) } else { (frame.large(), WORDS as u32) };
        Self { first, pages, flags }
    }

    /// Whether it leads to a frame too.
    #[inline]
    pub fn has(&self, frame: Frame) -> bool {
        frame.0.wrapping_sub(self.first.0) < self.pages
    }
}

/// The page that a frame is part of: in large memory its first frame stands for it.
pub fn whole(frame: Frame) -> Frame {
    frame.0.checked_sub(LARGE_MEMORY).map_or(frame, |_| frame.large())
}

/// Whether this holds of any translation that a CPU may use or make: every way that [`each`] tells of is among them, whatever
/// frame it is asked for.
pub fn any(bus: &Bus, mut holds: impl FnMut(Reach) -> bool) -> bool {
    let cached = (0..bus.cpus()).any(|cpu| {
        let (core, tlb) = (bus.core(cpu), bus.core(cpu).tlb());
        let mut leaves = tlb.leaves().iter().filter(|leaf| usable(core, leaf));
        leaves.any(|leaf| holds(Reach::of(leaf.frame, leaf.level, leaf.flags)))
    });
    let mut made = |seen: &Seen| {
        let reach = Reach::of(seen.entry.frame(), seen.level, seen.flags);
        (seen.is_leaf() && holds(reach)).then_some(())
    };
    cached || roots(bus).any(|(_, root)| below(bus, root, &mut made).is_some())
}

/// Tells of every way to a frame, those by TLBs before those by tables.
pub fn each(bus: &Bus, frame: Frame, mut tell: impl FnMut(Way)) {
    let offset = |first: Frame| u64::from(frame.0.wrapping_sub(first.0)) << 12;
    for cpu in 0..bus.cpus() {
        let core = bus.core(cpu);
        for leaf in core.tlb().leaves().iter().filter(|leaf| usable(core, leaf)) {
            if frames_behind(bus, leaf.frame, leaf.level).any(|behind| behind == frame) {
                let (va, memory_type) = (leaf.va + offset(leaf.frame), leaf.memory_type);
                tell(Way { cpu, va, cached: true, flags: leaf.flags, memory_type });
            }
        }
    }
    for (cpu, root) in roots(bus) {
        below(bus, root, |seen| {
            if seen.is_leaf() && seen.entry.frame_at(u64::from(frame.0) << 12, seen.level) == frame {
                let va = seen.va + offset(seen.entry.frame_at(0, seen.level));
                let memory_type = memory_type(seen.entry, seen.level);
                tell(Way { cpu, va, cached: false, flags: seen.flags, memory_type });
            }
            None::<()>
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{
        Hands, LARGE, VA, machine, map_large, map_with, page, switch_pcid, table, touch, unmap,
    };
    use machine::paging::index;
    use machine::{Machine, Word};

    const FLAGS: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::NO_EXECUTE);

    fn all(bus: &Bus, frame: Frame) -> Vec<String> {
        let mut ways = Vec::new();
        each(bus, frame, |way| ways.push(way.describe()));
        ways
    }

    /// Whether any translation leads to a frame, by the look at all of them.
    fn leads(bus: &Bus, frame: Frame) -> bool {
        any(bus, |reach| reach.has(frame))
    }

    #[test]
    fn the_ways_to_a_page_are_those_of_tlbs_and_then_those_of_tables() {
        let mut machine = machine(2);
        let (frame, other) = (page(&machine, 8), page(&machine, 9));
        map_with(&machine, VA, frame, FLAGS);
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        map_with(&machine, VA + 4096, frame, FLAGS);
        let cached = format!("the TLB of c1 leads there from {VA:#x}");
        let made = format!("the tables lead there from {:#x}", VA + 4096);
        assert_eq!(all(machine.bus(), frame), [cached, made.clone()]);
        assert_eq!(all(machine.bus(), other), [""; 0]);
        assert!(leads(machine.bus(), frame) && !leads(machine.bus(), other));
        switch_pcid(&machine, 1, 1);
        assert_eq!(all(machine.bus(), frame), [made]);
        unmap(&machine, VA + 4096);
        assert!(!leads(machine.bus(), frame), "what c1 has is of no use under another tag");
    }

    #[test]
    fn a_large_leaf_leads_to_every_page_of_it_and_to_no_neighbour() {
        let mut machine = machine(1);
        map_large(&machine, VA, FLAGS);
        let last = Frame(LARGE.0 + 511);
        let beyond = [Frame(LARGE.0 - 1), Frame(LARGE.0 + 512)];
        for cached in [false, true] {
            if cached {
                touch(&mut machine, 0, VA);
                unmap_large(&machine);
            }
            for (frame, va) in [(LARGE, VA), (last, VA + 511 * 4096)] {
                let mut ways = Vec::new();
                each(machine.bus(), frame, |way| ways.push((way.va, way.cached)));
                assert_eq!(ways, [(va, cached)]);
                assert!(leads(machine.bus(), frame));
            }
            assert!(beyond.iter().all(|frame| !leads(machine.bus(), *frame)));
        }
    }

    fn unmap_large(machine: &Machine<Hands>) {
        machine.bus().boot_word(Word::new(table(2), index(VA, 2)), 0);
    }

    #[test]
    fn only_leaves_lead_anywhere() {
        let machine = machine(1);
        assert!(!any(machine.bus(), |_| true), "there are tables alone");
        map_with(&machine, VA, page(&machine, 8), FLAGS);
        let mut shown = Vec::new();
        assert!(!any(machine.bus(), |reach| {
            shown.push((reach.first, reach.pages, reach.flags.contains(Flags::WRITABLE)));
            false
        }));
        assert_eq!(shown, [(Frame(8), 1, true)]);
    }
}
