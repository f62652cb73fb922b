//! Rule 12, memory types: no page has two memory types at once, through any two usable translations, once a change of its type
//! returned.
//!
//! Judged from the first change of a page's type on, whenever an area that owns its pages was made, changed or
//! freed, or a CPU loaded an address space, whose tables come into use by that; and when the story is over: also
//! when the page was freed meanwhile, and when it has another owner. A translation is one in a TLB that its CPU
//! may use, or one that the tables would make; lazy aliases count, of tables and of TLBs: deferred flushing is what
//! memory types do not bear (seed 004). Intel SDM volume 3A, section 11.12.4, leaves undefined what becomes of a
//! page that is mapped with several types.
//!
//! Legal, and not seen here:
//! - Two types while a change is under way: its return promises one.
//! - Several translations of one type, whatever else they allow.
//! - What is cached under a tag that is not current.
//! - Pages whose type no caller ever changed: nothing maps them with another than the usual one.

use machine::{Bus, Frame};
use oracle::Rule;
use oracle::vocabulary::{Mode, Named, Operation, Outcome, Role, Sort, Use};

use super::Breach;
use super::watch::{Check, Flight, View};
use super::ways::{self, Way, whole};

/// A page whose memory type was changed.
#[derive(Clone, Copy, Debug)]
struct Page {
    frame: Frame,
    /// A change is under way.
    changing: bool,
}

/// The pages whose memory type was ever changed.
#[derive(Debug, Default)]
pub struct MemoryTypes(Vec<Page>);

impl Check for MemoryTypes {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn begins(&mut self, _: &View<'_>, flight: &Flight) {
        if changes_type(&flight.call.operation) {
            self.changing(flight.frames());
        }
    }

    fn ends(&mut self, view: &View<'_>, flight: &Flight, _: Outcome) -> Option<Breach> {
        if changes_type(&flight.call.operation) {
            self.changed(flight.frames());
        }
        if brings_types(&flight.call.operation) { self.check(view.bus) } else { None }
    }

    fn rest(&mut self, view: &View<'_>) -> Option<Breach> {
        self.check(view.bus)
    }
}

const fn changes_type(operation: &Operation) -> bool {
    matches!(operation, Operation::SetMemoryWc { .. } | Operation::SetMemoryWb { .. })
}

/// Whether an operation makes, changes or ends an area that owns its pages, or is about an address space, whose tables may come into
/// use by it.
fn brings_types(operation: &Operation) -> bool {
    let mut brings = matches!(operation, Operation::SwitchMm { .. });
    operation.each_use(|Use { named, mode }| {
        brings |= match (named, mode) {
            (Named::Thing(Sort::Mm, _), _) => true,
            (_, Mode::New(role) | Mode::Changes(role) | Mode::Ends(role)) => role == Role::Own,
            _ => false,
        };
    });
    brings
}

impl MemoryTypes {
    /// A change of the memory type of these pages begins. A large page has one type as a whole.
    fn changing(&mut self, frames: &[Frame]) {
        for frame in frames.iter().copied().map(whole) {
            self.0.retain(|page| page.frame != frame);
            self.0.push(Page { frame, changing: true });
        }
    }

    /// It returned.
    fn changed(&mut self, frames: &[Frame]) {
        for frame in frames.iter().copied().map(whole) {
            self.0.iter_mut().filter(|page| page.frame == frame).for_each(|page| page.changing = false);
        }
    }

    /// Whether every page has one type at this moment.
    fn check(&self, bus: &Bus) -> Option<Breach> {
        self.0.iter().filter(|page| !page.changing).find_map(|page| judge(bus, page.frame))
    }
}

fn judge(bus: &Bus, frame: Frame) -> Option<Breach> {
    let mut first: Option<Way> = None;
    let mut other: Option<Way> = None;
    ways::each(bus, frame, |way| match first {
        None => first = Some(way),
        Some(known) if known.memory_type != way.memory_type => other = other.or(Some(way)),
        Some(_) => {}
    });
    let (one, other) = (first?, other?);
    let seen = |way: &Way| format!("{} with type {}", way.describe(), way.memory_type);
    let detail = format!("{frame}: {}, {}", seen(&one), seen(&other));
    let breach = Breach::new(Rule::Permissions, "a page has two memory types", detail).on(one.cpu);
    Some(breach.about([one.va, other.va], [frame]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{
        LARGE, VA, machine, map_large, map_with, page, switch_pcid, touch, unmap,
    };
    use machine::Flags;

    const OTHER: u64 = VA + 4096;
    const WB: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::NO_EXECUTE);
    const WC: Flags = WB.union(Flags::WRITE_THROUGH);

    fn changed(frame: Frame) -> MemoryTypes {
        let mut types = MemoryTypes::default();
        types.changing(&[frame]);
        types.changed(&[frame]);
        types
    }

    #[test]
    fn two_aliases_of_two_types_are_a_breach_in_tables_and_in_tlbs() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, WB);
        map_with(&machine, OTHER, frame, WC);
        let types = changed(frame);
        let breach = types.check(machine.bus()).expect("the tables have both");
        assert_eq!((breach.rule, &*breach.what), (Rule::Permissions, "a page has two memory types"));
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA, OTHER], vec![frame]));
        touch(&mut machine, 1, VA);
        map_with(&machine, VA, frame, WC);
        let breach = types.check(machine.bus()).expect("c1 has the one, the tables have the other");
        assert_eq!((breach.cpu, breach.about.pages), (Some(1), vec![VA, VA]));
        switch_pcid(&machine, 1, 1);
        assert_eq!(types.check(machine.bus()), None, "under another tag it is of no use");
    }

    #[test]
    fn a_lazy_alias_of_the_old_type_is_a_breach() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        map_with(&machine, OTHER, frame, WB);
        touch(&mut machine, 1, OTHER);
        unmap(&machine, OTHER);
        map_with(&machine, VA, frame, WC);
        assert_eq!(changed(frame).check(machine.bus()).map(|breach| breach.cpu), Some(Some(1)));
    }

    #[test]
    fn a_large_page_has_one_type_whoever_has_how_much_of_it() {
        let mut machine = machine(1);
        let third = Frame(LARGE.0 + 3);
        map_large(&machine, VA, WC);
        assert_eq!(changed(third).check(machine.bus()), None);
        touch(&mut machine, 0, VA + 5 * 4096);
        map_large(&machine, VA, WB);
        let breach = changed(third).check(machine.bus()).expect("its TLB has the old type");
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA, VA], vec![LARGE]));
        let mut types = changed(third);
        types.changing(&[LARGE, Frame(LARGE.0 + 1)]);
        assert_eq!(types.check(machine.bus()), None, "its next owner changes it as a whole");
    }

    #[test]
    fn nothing_is_promised_while_a_type_changes_nor_of_pages_that_nobody_changed() {
        let machine = machine(1);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, WB);
        map_with(&machine, OTHER, frame, WC);
        let mut types = MemoryTypes::default();
        assert_eq!(types.check(machine.bus()), None);
        types.changing(&[frame]);
        assert_eq!(types.check(machine.bus()), None);
        types.changed(&[frame]);
        assert!(types.check(machine.bus()).is_some());
        types.changing(&[frame]);
        assert_eq!(types.check(machine.bus()), None, "it changes once more");
        types.clear();
        types.changed(&[frame]);
        assert_eq!(types.check(machine.bus()), None);
    }

    #[test]
    fn aliases_of_one_type_and_other_pages_are_legal() {
        let mut machine = machine(1);
        let (frame, other) = (page(&machine, 8), page(&machine, 9));
        map_with(&machine, VA, frame, WC);
        touch(&mut machine, 0, VA);
        map_with(&machine, VA, frame, WC.difference(Flags::WRITABLE));
        map_with(&machine, OTHER, other, WB);
        touch(&mut machine, 0, OTHER);
        assert_eq!(changed(frame).check(machine.bus()), None);
    }
}
