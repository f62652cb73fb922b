//! Rule 5, drain: once `vm_unmap_aliases` returned, no alias whose unmap had returned before the call is left in
//! tables, nor in a TLB unless the design says tables only.
//!
//! Legal, and not seen here:
//! - An alias whose unmap overlapped the drain: only those are judged whose unmap returned before the drain began.
//! - A range that was handed out again, before the drain or during it: its new mapping is none of the drain's business.
//!   A mapping that returned has taken its pages from the old alias. One that is still being made may have got them
//!   already, with its entries in tables and TLBs:
//!
//! ```text
//!   c0 drain                      c1 vmap
//!   flush, give ranges back
//!                                 takes one, sets its entries
//!   returns                       (still on its way)
//! ```
//!
//!   so a translation to a page that is being mapped at this moment is passed over, and looked at by the next drain. Such a
//!   page cannot be given away meanwhile, and no translation to it is dangerous. No check knows the pages of a
//!   buffer, or of an area that owns its pages, before it is there. But the kernel puts these pages to a new use for
//!   it, so a translation for the use that the alias was made for is the alias.
//! - A translation to any other frame than the alias led to: it belongs to the caller that got the range.
//! - The design of seed 004 that looks at a table which comes back maps it for that, and unmaps it lazily, like any other
//!   mapping; only that no caller is told where it lay. A translation to such a page is passed over until its table has
//!   come back, and where one is left then the old alias has lost its range; see [`leads_to`].
//! - Under the designs of seed 000 by which a drain is about tables only, a TLB may keep what it has; rule 4 judges the
//!   reuse of the range. See [`promises_tables_only`].
//! - A drain that answered that it would sleep promised nothing.

use impls::protocol::{Designs, Drain, IrqsOffDrain, TableDrain};
use machine::tlb::TlbEntry;
use machine::{Bus, Frame};
use oracle::Rule;
use oracle::vocabulary::{Mapping, Mode, Named, Operation, Outcome, Sort, Use};

use super::Breach;
use super::aliases::{Alias, Aliases, Behind};
use super::range_reuse::is_behind_large;
use super::translations::usable;
use super::watch::{Check, Flight, View};
use crate::story::held::mapping;

/// Follows every mapping from its making to the drain that has seen the last of it.
#[derive(Debug, Default)]
pub struct Drains {
    aliases: Aliases,
}

impl Check for Drains {
    fn clear(&mut self) {
        self.aliases.clear();
    }

    fn begins(&mut self, _: &View<'_>, flight: &Flight) {
        if let Some(going) = ended(&flight.call.operation) {
            self.aliases.going(going);
        }
    }

    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        self.take_note(view, flight, outcome);
        if flight.call.operation != (Operation::DrainAliases {}) || outcome != Outcome::Done {
            return None;
        }
        let tables_only = promises_tables_only(view.designs, flight.call.irqs_off);
        let others = || view.under_way.iter().flatten();
        let being_mapped = |frame: Frame, newer: bool| {
            others().any(|other| maps(view, other, frame) || newer && maps_new(other))
        };
        let breach = check(view.bus, &self.aliases, flight.began, tables_only, being_mapped);
        if breach.is_none() {
            self.aliases.forget_gone_by(flight.began, |va, behind| is_gone(view.bus, va, behind));
        }
        breach
    }
}

impl Drains {
    /// What the outcome says about mappings.
    fn take_note(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) {
        let bus = view.bus;
        if let Some(gone) = ended(&flight.call.operation) {
            self.aliases.gone(gone, flight.ended);
        }
        if looks_at_tables(view, &flight.call.operation) {
            self.aliases.lost(|va| leads_to(bus, va, flight.frames()));
        }
        let Some(Named::Thing(sort @ (Sort::Area | Sort::Ram | Sort::Buffer), slot)) = flight.makes() else {
            return;
        };
        match outcome.range() {
            Some(range) => {
                let frames = flight.frames().iter().map(|frame| Behind::now(bus, *frame));
                self.aliases.made(mapping(sort, slot), range, frames);
                if maps_new(flight) {
                    self.aliases.lost(|va| is_behind_large(bus, view.boot_root, range, va));
                }
            }
            // What came to nothing may have been mapped for a while, and unmapped lazily, at an address that no caller is told of.
            None if matches!(outcome, Outcome::NoMemory | Outcome::WouldSleep) => {
                let newer = |va, behind| maps_new(flight) && leads_to_newer(bus, va, behind);
                self.aliases.lost_to(|va, behind| leads_to(bus, va, flight.frames()) || newer(va, behind));
            }
            None => {}
        }
    }
}

/// The mapping that an operation unmaps.
fn ended(operation: &Operation) -> Option<Mapping> {
    let mut ended = None;
    operation.each_use(|Use { named, mode }| {
        if let (Named::Thing(sort @ (Sort::Area | Sort::Ram | Sort::Buffer), slot), Mode::Ends(_)) =
            (named, mode)
        {
            ended = Some(mapping(sort, slot));
        }
    });
    ended
}

/// Whether it may put frames to a new use, and map them: which those are is known when they are there, and not before.
fn maps_new(flight: &Flight) -> bool {
    let mut maps = false;
    flight.call.operation.each_use(|Use { mode, .. }| maps |= matches!(mode, Mode::Sizes | Mode::Lends));
    maps
}

/// Whether it may map this frame, which was there when it began.
fn maps(view: &View<'_>, flight: &Flight, frame: Frame) -> bool {
    let mut maps = looks_at_tables(view, &flight.call.operation);
    flight.call.operation.each_use(|Use { mode, .. }| maps |= matches!(mode, Mode::Maps | Mode::Lends));
    maps && flight.frames().contains(&frame)
}

/// Whether the kernel maps the pages of what comes back for a look, by its design.
fn looks_at_tables(view: &View<'_>, operation: &Operation) -> bool {
    view.designs.table_drain == TableDrain::CleanCache
        && matches!(operation, Operation::UnmakeTable { .. } | Operation::UnpinTree { .. })
}

/// Whether a drain promises nothing about TLBs under this design: because its caller asked for no flush, or because
/// ranges are flushed when they are mapped again. Whether that is done well, rule 4 judges.
pub fn promises_tables_only(designs: &Designs, irqs_off: bool) -> bool {
    match designs.drain {
        Drain::Flush => irqs_off && designs.irqs_off_drain == IrqsOffDrain::TablesOnly,
        Drain::TablesOnly | Drain::Inhibit | Drain::OnMapLocal | Drain::OnMapEverywhere => true,
    }
}

/// A drain that began at this time returned just now. `being_mapped` tells the frames of mappings that are on their way;
/// it is told too whether the frame may have been put to a new use since the alias was made.
pub fn check(
    bus: &Bus,
    aliases: &Aliases,
    began: u32,
    tables_only: bool,
    being_mapped: impl Fn(Frame, bool) -> bool,
) -> Option<Breach> {
    aliases.gone_by(began).find_map(|alias| {
        alias.pages().find_map(|(va, behind)| {
            let is_left = |frame: Frame, incarnation: u32| {
                leads_behind(behind, frame, incarnation).is_some_and(|newer| !being_mapped(frame, newer))
            };
            (0..bus.cpus()).find_map(|cpu| {
                let left = tables(bus, alias, cpu, va, is_left);
                if tables_only { left } else { left.or_else(|| cached(bus, alias, cpu, va, is_left)) }
            })
        })
    })
}

/// Whether this frame is behind a page, and if so whether the frame may have been put to a new use since.
fn leads_behind(behind: Option<Behind>, frame: Frame, incarnation: u32) -> Option<bool> {
    match behind {
        None => Some(true),
        Some(behind) => (behind.frame == frame).then_some(behind.incarnation != incarnation),
    }
}

/// Whether nothing leads from this address to what was behind it any more, on any CPU, usable or not: then a drain has
/// seen the last of it.
pub fn is_gone(bus: &Bus, va: u64, behind: Option<Behind>) -> bool {
    behind.is_none_or(|behind| !leads_to(bus, va, &[behind.frame]))
}

/// Whether an entry or a translation leads from this address to what was behind it before, in a use that is newer.
pub fn leads_to_newer(bus: &Bus, va: u64, behind: Option<Behind>) -> bool {
    behind.is_some_and(|behind| {
        Behind::now(bus, behind.frame) != Some(behind) && leads_to(bus, va, &[behind.frame])
    })
}

/// Whether an entry or a translation leads from this address to one of these frames, on any CPU.
pub fn leads_to(bus: &Bus, va: u64, frames: &[Frame]) -> bool {
    (0..bus.cpus()).any(|cpu| {
        let core = bus.core(cpu);
        let entry = bus.mapped(core.cr3().root, va).is_some_and(|found| frames.contains(&found.frame_of(va)));
        let of_frames = |leaf: &TlbEntry| leaf.covers(va) && frames.contains(&leaf.frame_of(va));
        entry || core.tlb().leaves().iter().any(of_frames)
    })
}

fn tables(
    bus: &Bus,
    alias: &Alias,
    cpu: u8,
    va: u64,
    is_left: impl Fn(Frame, u32) -> bool,
) -> Option<Breach> {
    let found = bus.mapped(bus.core(cpu).cr3().root, va)?;
    if !Behind::now(bus, found.frame_of(va)).is_some_and(|now| is_left(now.frame, now.incarnation)) {
        return None;
    }
    let detail = format!("{}, unmapped before, is still at {va:#x}: {:?}", alias.mapping(), found.entry);
    let breach = Breach::new(Rule::Drain, "an alias is left in the tables", detail);
    Some(breach.on(cpu).about([va], [found.frame_of(va)]))
}

fn cached(
    bus: &Bus,
    alias: &Alias,
    cpu: u8,
    va: u64,
    is_left: impl Fn(Frame, u32) -> bool,
) -> Option<Breach> {
    let core = bus.core(cpu);
    let tlb = core.tlb();
    let left = tlb
        .leaves()
        .iter()
        .find(|leaf| leaf.covers(va) && usable(core, leaf) && is_left(leaf.frame_of(va), leaf.incarnation))?;
    let mapping = alias.mapping();
    let detail = format!(
        "{mapping}, unmapped before, is still in the TLB of c{cpu}: {va:#x} to {}",
        left.frame_of(va)
    );
    let breach = Breach::new(Rule::Drain, "an alias is left in a TLB", detail);
    Some(breach.on(cpu).about([va], [left.frame_of(va)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{
        LARGE, VA, machine, map, map_large, map_with, page, switch_pcid, touch, unmap,
    };
    use machine::Flags;
    use oracle::vocabulary::{AreaSlot, Mapping, Range};

    const RANGE: Range = Range { start: VA, pages: 1 };

    fn area(number: u8) -> Mapping {
        Mapping::Area(AreaSlot::new(number))
    }

    #[test]
    fn a_large_alias_that_is_left_is_a_breach_in_tables_and_in_tlbs() {
        let mut machine = machine(2);
        map_large(&machine, VA, Flags::WRITABLE);
        touch(&mut machine, 1, VA + 7 * 4096);
        let (aliases, began) = unmapped();
        let found =
            |machine: &machine::Machine<_>| check(machine.bus(), &aliases, began, false, |_, _| false);
        assert_eq!(&*found(&machine).expect("it is in the tables").what, "an alias is left in the tables");
        machine.bus().boot_word(machine::Word::new(Frame(2), machine::paging::index(VA, 2)), 0);
        let breach = found(&machine).expect("c1 still has it");
        assert_eq!((breach.cpu, breach.about.frames), (Some(1), vec![LARGE]));
        assert_eq!(check(machine.bus(), &aliases, began, true, |_, _| false), None, "tables only");
    }

    /// An area that was unmapped, and when a drain began afterwards.
    fn unmapped() -> (Aliases, u32) {
        unmapped_from([])
    }

    /// The same, with this behind its page.
    fn unmapped_from(behind: impl IntoIterator<Item = Option<Behind>>) -> (Aliases, u32) {
        let mut aliases = Aliases::default();
        aliases.made(area(0), RANGE, behind);
        aliases.going(area(0));
        aliases.gone(area(0), 1);
        (aliases, 2)
    }

    #[test]
    fn an_alias_left_in_the_tables_is_a_breach() {
        let machine = machine(1);
        map(&machine, VA, page(&machine, 8));
        let (aliases, began) = unmapped();
        for tables_only in [false, true] {
            let breach = check(machine.bus(), &aliases, began, tables_only, |_, _| false);
            assert_eq!(breach.map(|breach| breach.rule), Some(Rule::Drain));
        }
    }

    #[test]
    fn an_alias_left_in_a_tlb_is_a_breach_unless_the_design_says_tables_only() {
        let mut machine = machine(2);
        let old = page(&machine, 8);
        map(&machine, VA, old);
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        let (aliases, began) = unmapped();
        let breach = check(machine.bus(), &aliases, began, false, |_, _| false).expect("c1 still has it");
        assert_eq!((breach.rule, breach.cpu), (Rule::Drain, Some(1)));
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA], vec![old]));
        assert_eq!(check(machine.bus(), &aliases, began, true, |_, _| false), None);
    }

    #[test]
    fn what_the_tag_of_another_address_space_keeps_is_legal_unless_it_is_global() {
        for (flags, usable) in [(Flags::empty(), false), (Flags::GLOBAL, true)] {
            let mut machine = machine(1);
            map_with(&machine, VA, page(&machine, 8), flags | Flags::PRESENT);
            touch(&mut machine, 0, VA);
            unmap(&machine, VA);
            let (aliases, began) = unmapped();
            assert!(check(machine.bus(), &aliases, began, false, |_, _| false).is_some());
            switch_pcid(&machine, 0, 1);
            assert_eq!(check(machine.bus(), &aliases, began, false, |_, _| false).is_some(), usable);
        }
    }

    #[test]
    fn a_translation_of_another_address_is_no_alias_that_is_left() {
        let mut machine = machine(1);
        map(&machine, VA + 4096, page(&machine, 8));
        touch(&mut machine, 0, VA + 4096);
        let (aliases, began) = unmapped();
        assert_eq!(check(machine.bus(), &aliases, began, false, |_, _| false), None);
    }

    #[test]
    fn only_the_design_that_flushes_promises_that_tlbs_are_empty() {
        let promise = |drain: &Drain, irqs_off_drain: IrqsOffDrain, irqs_off: bool| {
            promises_tables_only(&Designs { drain: *drain, irqs_off_drain, ..Designs::default() }, irqs_off)
        };
        for how in IrqsOffDrain::ALL {
            let strict: Vec<_> = Drain::ALL.iter().filter(|design| !promise(design, *how, false)).collect();
            assert_eq!(strict, [&Drain::Flush]);
            let off = promise(&Drain::Flush, *how, true);
            assert_eq!(off, *how == IrqsOffDrain::TablesOnly, "{how:?}");
        }
    }

    #[test]
    fn an_alias_whose_unmap_overlaps_the_drain_may_be_left() {
        let mut machine = machine(1);
        map(&machine, VA, page(&machine, 8));
        touch(&mut machine, 0, VA);
        let mut aliases = Aliases::default();
        aliases.made(area(0), RANGE, []);
        aliases.going(area(0));
        let began = 1;
        aliases.gone(area(0), 2);
        assert_eq!(check(machine.bus(), &aliases, began, false, |_, _| false), None);
    }

    #[test]
    fn a_range_that_was_handed_out_again_is_not_judged() {
        let mut machine = machine(1);
        map(&machine, VA, page(&machine, 9));
        touch(&mut machine, 0, VA);
        let (mut aliases, began) = unmapped();
        aliases.made(area(1), RANGE, []);
        assert_eq!(check(machine.bus(), &aliases, began, false, |_, _| false), None);
    }

    #[test]
    fn an_address_leads_to_a_frame_by_an_entry_or_by_a_translation_that_is_left() {
        let mut machine = machine(2);
        let (one, other) = (page(&machine, 8), page(&machine, 9));
        assert!(!leads_to(machine.bus(), VA, &[one, other]));
        map(&machine, VA, one);
        assert!(leads_to(machine.bus(), VA, &[one]) && !leads_to(machine.bus(), VA, &[other]));
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        assert!(leads_to(machine.bus(), VA, &[other, one]) && !leads_to(machine.bus(), VA, &[other]));
        assert!(!leads_to(machine.bus(), VA + 4096, &[one]));
    }

    #[test]
    fn a_mapping_on_its_way_may_have_the_range_already() {
        let mut machine = machine(1);
        let new = page(&machine, 9);
        map(&machine, VA, new);
        touch(&mut machine, 0, VA);
        let (aliases, began) = unmapped();
        assert_eq!(check(machine.bus(), &aliases, began, false, |frame, _| frame == new), None);
        assert!(check(machine.bus(), &aliases, began, false, |frame, _| frame != new).is_some());
    }

    #[test]
    fn while_somebody_maps_pages_that_nobody_knows_the_use_of_a_frame_tells_whose_a_translation_is() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        let before = Behind::now(machine.bus(), frame);
        let (aliases, began) = unmapped_from([before]);
        let found = |machine: &machine::Machine<_>| {
            check(machine.bus(), &aliases, began, false, |_, newer| newer)
                .map(|breach| breach.what.into_owned())
        };
        // The same frame, given to the caller that got the range.
        machine.bus().memory.set_role(frame, machine::Role::Free);
        assert!(!leads_to_newer(machine.bus(), VA, before));
        page(&machine, 8);
        map(&machine, VA, frame);
        touch(&mut machine, 0, VA);
        assert_eq!(found(&machine), None);
        assert!(check(machine.bus(), &aliases, began, false, |_, _| false).is_some(), "nobody maps anything");
        assert!(leads_to_newer(machine.bus(), VA, before));
        assert!(!leads_to_newer(machine.bus(), VA, Behind::now(machine.bus(), frame)));
    }

    #[test]
    fn an_alias_of_the_same_use_is_a_breach_whoever_maps_new_pages() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        map(&machine, VA, frame);
        touch(&mut machine, 1, VA);
        let (aliases, began) = unmapped_from([Behind::now(machine.bus(), frame)]);
        let found = |machine: &machine::Machine<_>| {
            check(machine.bus(), &aliases, began, false, |_, newer| newer)
                .map(|breach| breach.what.into_owned())
        };
        assert_eq!(found(&machine).as_deref(), Some("an alias is left in the tables"));
        unmap(&machine, VA);
        assert_eq!(found(&machine).as_deref(), Some("an alias is left in a TLB"));
        machine.bus().memory.set_role(frame, machine::Role::Free);
        page(&machine, 8);
        assert_eq!(found(&machine).as_deref(), Some("an alias is left in a TLB"), "made for the former use");
    }

    #[test]
    fn a_translation_to_another_frame_is_not_the_alias() {
        let mut machine = machine(1);
        let (old, new) = (page(&machine, 8), page(&machine, 9));
        map(&machine, VA, new);
        touch(&mut machine, 0, VA);
        let (aliases, began) = unmapped_from([Behind::now(machine.bus(), old)]);
        assert_eq!(check(machine.bus(), &aliases, began, false, |_, _| false), None);
        assert!(is_gone(machine.bus(), VA, Behind::now(machine.bus(), old)));
        assert!(!is_gone(machine.bus(), VA, Behind::now(machine.bus(), new)));
    }
}
