//! Rule 4, kernel range reuse: once vmap returned a range, the tables lead from it to the pages that were to be
//! mapped, and no CPU has a usable translation of it to anything else.
//!
//! Judged at the return of `vmap` and `map-ram`, when the range belongs to its caller alone: no unmap of it
//! can have begun, so neither tables nor TLBs may lead elsewhere at this moment.
//!
//! A CPU may have loaded another address space than the kernel's own: its tables must lead there too, by upper levels of
//! their own. Where the design brings those up to date on a fault (seed 004), they may lead nowhere, but not elsewhere; so may
//! the tables that a caller gone astray has its CPU use.
//!
//! Legal, and not seen here: stale translations of a range that is not mapped (lazy aliases); those under a tag that is
//! not current; a leaf that a walker cached while the mapping was being made, which leads to the new page already; a
//! mapping that failed; address spaces that no CPU has loaded.

use impls::protocol::KernelSync;
use machine::paging::span;
use machine::{Bus, Frame};
use oracle::Rule;
use oracle::vocabulary::{Operation, Outcome, Range};

use super::Breach;
use super::aliases::address;
use super::buffers;
use super::loaded::is_astray;
use super::translations::usable;
use super::watch::{Check, Flight, View};

/// Looks at every range that is returned, and at what a driver was told of a buffer.
#[derive(Debug)]
pub struct Ranges;

impl Check for Ranges {
    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let range = outcome.range()?;
        let of_buffer = if let Outcome::Buffer(told) = outcome {
            let wide = matches!(flight.call.operation, Operation::DmaAllocWide { .. });
            buffers::check(view.bus, view.boot_root, &told, view.device_limit.filter(|_| !wide))
        } else {
            None
        };
        of_buffer.or_else(|| {
            let root = |cpu| view.bus.core(cpu).cr3().root;
            let is_synced =
                |cpu| view.designs.kernel_sync != KernelSync::OnFault || root(cpu) == view.boot_root;
            let may_lag = |cpu| !is_synced(cpu) || is_astray(view.under_way, cpu);
            check(view.bus, range, flight.frames(), may_lag)
        })
    }
}

/// A mapping returned this range for these frames. `may_lag` tells the CPUs under whose root it may not be there.
pub fn check(bus: &Bus, range: Range, frames: &[Frame], may_lag: impl Fn(u8) -> bool) -> Option<Breach> {
    frames.iter().enumerate().find_map(|(page, &frame)| {
        let va = address(range, page as u8);
        (0..bus.cpus())
            .find_map(|cpu| tables(bus, cpu, va, frame, may_lag(cpu)).or_else(|| cached(bus, cpu, va, frame)))
    })
}

/// The frames to which the tables under a root lead from a range that was returned for an area which owns its pages: which
/// they are is the kernel's choice. Where they lead nowhere, one that no machine has, so that [`check`] finds the hole.
pub fn frames_at(bus: &Bus, root: Frame, range: Range) -> impl Iterator<Item = Frame> {
    (0..range.pages).map(move |page| {
        let va = address(range, page);
        bus.mapped(root, va).map_or(Frame(u32::MAX), |found| found.frame_of(va))
    })
}

/// Whether an address is mapped, beneath this root, by the same large entry as a range is, although it does not belong to it:
/// whatever lay there before has lost it. The root is the kernel's own: those of other address spaces may lag behind.
pub fn is_behind_large(bus: &Bus, root: Frame, range: Range, va: u64) -> bool {
    let of_one_entry = |va: u64| va & !(span(2) - 1);
    of_one_entry(va) == of_one_entry(range.start)
        && bus.mapped(root, range.start).is_some_and(|found| found.level == 2)
}

fn tables(bus: &Bus, cpu: u8, va: u64, frame: Frame, lags: bool) -> Option<Breach> {
    let found = bus.mapped(bus.core(cpu).cr3().root, va);
    if found.map_or(lags, |found| found.frame_of(va) == frame) {
        return None;
    }
    let seen = found.map_or("nothing".to_owned(), |found| format!("{:?}", found.entry));
    let detail = format!("{va:#x} was mapped to {frame}; the tables of c{cpu} hold {seen}");
    let breach = Breach::new(Rule::RangeReuse, "the tables lead elsewhere", detail);
    Some(breach.on(cpu).about([va], [frame]))
}

fn cached(bus: &Bus, cpu: u8, va: u64, frame: Frame) -> Option<Breach> {
    let core = bus.core(cpu);
    let tlb = core.tlb();
    let stale = tlb.leaves().iter().find(|leaf| {
        leaf.covers(va)
            && usable(core, leaf)
            && (leaf.frame_of(va) != frame || leaf.incarnation != bus.memory.incarnation(frame))
    })?;
    let detail = format!(
        "{va:#x} was mapped to {frame}; the TLB of c{cpu} still leads to {} as it was used before",
        stale.frame_of(va)
    );
    let breach = Breach::new(Rule::RangeReuse, "a CPU holds a translation from before", detail);
    Some(breach.on(cpu).about([va], [frame, stale.frame_of(va)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{
        LARGE, VA, frame, machine, map, map_large, map_with, page, switch_pcid, table, touch, unmap,
    };
    use machine::paging::{LEVELS, index};
    use machine::{Cr3, Flags, Role, Word};

    const RANGE: Range = Range { start: VA, pages: 1 };

    fn check(bus: &Bus, range: Range, frames: &[Frame]) -> Option<Breach> {
        super::check(bus, range, frames, |_| false)
    }

    fn found_at(bus: &Bus, range: Range) -> Vec<Frame> {
        frames_at(bus, table(LEVELS), range).collect()
    }

    #[test]
    fn an_address_space_without_the_mapping_is_a_breach_unless_it_may_lag() {
        let machine = machine(2);
        let (bus, root, new) = (machine.bus(), frame(20), page(&machine, 9));
        map(&machine, VA, new);
        bus.memory.set_role(root, Role::Table(LEVELS));
        bus.boot_cr3(1, Cr3 { root, pcid: 0 });
        let breach = check(bus, RANGE, &[new]).expect("nothing is there under the root of c1");
        assert_eq!((&*breach.what, breach.cpu), ("the tables lead elsewhere", Some(1)));
        let of_c1 = |lags: u8| lags == 1;
        assert_eq!(super::check(bus, RANGE, &[new], of_c1), None);
        // Copied from where they lead elsewhere.
        let word = |root| Word::new(root, machine::paging::index(VA, LEVELS));
        bus.boot_word(word(root), bus.memory.peek(word(table(LEVELS))));
        assert_eq!(check(bus, RANGE, &[new]), None);
        assert!(super::check(bus, RANGE, &[page(&machine, 10)], of_c1).is_some());
    }

    #[test]
    fn the_frames_of_an_area_are_those_in_the_tables_and_a_hole_is_a_breach() {
        let machine = machine(1);
        let new = page(&machine, 9);
        map(&machine, VA + 4096, new);
        let range = Range { start: VA, pages: 2 };
        assert_eq!(found_at(machine.bus(), range), [Frame(u32::MAX), new], "nothing is at the first");
        let breach = check(machine.bus(), range, &found_at(machine.bus(), range)).expect("a hole");
        assert_eq!((&*breach.what, breach.about.pages), ("the tables lead elsewhere", vec![VA]));
        map(&machine, VA, page(&machine, 8));
        assert_eq!(check(machine.bus(), range, &found_at(machine.bus(), range)), None);
    }

    #[test]
    fn a_translation_from_before_is_a_breach() {
        let mut machine = machine(2);
        let (old, new) = (page(&machine, 8), page(&machine, 9));
        map(&machine, VA, old);
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        map(&machine, VA, new);
        let breach = check(machine.bus(), RANGE, &[new]).expect("c1 still has the old frame");
        assert_eq!((breach.rule, breach.cpu), (Rule::RangeReuse, Some(1)));
    }

    #[test]
    fn a_translation_to_the_same_frame_in_its_former_use_is_a_breach() {
        let mut machine = machine(1);
        let old = page(&machine, 8);
        map(&machine, VA, old);
        touch(&mut machine, 0, VA);
        machine.bus().memory.set_role(old, machine::Role::Free);
        let new = page(&machine, 8);
        assert!(check(machine.bus(), RANGE, &[new]).is_some());
    }

    #[test]
    fn what_the_tag_of_another_address_space_keeps_is_legal_unless_it_is_global() {
        for (flags, usable) in [(Flags::empty(), false), (Flags::GLOBAL, true)] {
            let mut machine = machine(1);
            let (old, new) = (page(&machine, 8), page(&machine, 9));
            map_with(&machine, VA, old, flags | Flags::PRESENT);
            touch(&mut machine, 0, VA);
            map(&machine, VA, new);
            assert!(check(machine.bus(), RANGE, &[new]).is_some());
            switch_pcid(&machine, 0, 1);
            assert_eq!(check(machine.bus(), RANGE, &[new]).is_some(), usable);
        }
    }

    #[test]
    fn a_large_translation_from_before_is_a_breach_of_every_page_of_it_and_a_new_one_is_not() {
        let mut machine = machine(2);
        let third = Range { start: VA + 3 * 4096, pages: 1 };
        let of_third = [frame(LARGE.0 + 3)];
        machine.bus().memory.set_role(LARGE, machine::Role::Data);
        map_large(&machine, VA, Flags::WRITABLE);
        touch(&mut machine, 1, VA);
        assert_eq!(check(machine.bus(), third, &of_third), None);
        assert_eq!(found_at(machine.bus(), third), of_third);
        assert!(check(machine.bus(), third, &[LARGE]).is_some(), "another page of it");
        machine.bus().memory.set_role(LARGE, machine::Role::Free);
        machine.bus().memory.set_role(LARGE, machine::Role::Data);
        let breach = check(machine.bus(), third, &of_third).expect("it was put to another use");
        assert_eq!((breach.cpu, &*breach.what), (Some(1), "a CPU holds a translation from before"));
        machine.bus().boot_word(machine::Word::new(table(2), index(VA, 2)), 0);
        let small = Range { start: VA + 2 * 4096, pages: 1 };
        let root = machine.bus().core(0).cr3().root;
        let behind = |va| is_behind_large(machine.bus(), root, RANGE, va);
        assert!(!behind(VA + 4096), "nothing large is mapped there");
        assert!(check(machine.bus(), small, &[frame(8)]).is_some());
        map_large(&machine, VA, Flags::WRITABLE);
        let root = machine.bus().core(0).cr3().root;
        let behind = |va| is_behind_large(machine.bus(), root, RANGE, va);
        assert!(behind(VA + 511 * 4096) && !behind(VA + 512 * 4096) && !behind(VA - 4096));
    }

    #[test]
    fn tables_that_lead_elsewhere_are_a_breach() {
        let machine = machine(1);
        map(&machine, VA, page(&machine, 8));
        assert!(check(machine.bus(), RANGE, &[frame(9)]).is_some());
        unmap(&machine, VA);
        assert!(check(machine.bus(), RANGE, &[frame(8)]).is_some());
    }

    #[test]
    fn a_walker_may_have_cached_the_new_mapping_already() {
        let mut machine = machine(2);
        let new = page(&machine, 9);
        map(&machine, VA, new);
        touch(&mut machine, 1, VA);
        assert_eq!(check(machine.bus(), RANGE, &[new]), None);
    }

    #[test]
    fn a_stale_translation_of_another_range_is_legal() {
        let mut machine = machine(2);
        let (old, new) = (page(&machine, 8), page(&machine, 9));
        map(&machine, VA + 4096, old);
        touch(&mut machine, 1, VA + 4096);
        unmap(&machine, VA + 4096);
        map(&machine, VA, new);
        assert_eq!(check(machine.bus(), RANGE, &[new]), None);
    }
}
