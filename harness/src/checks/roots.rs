//! Which root each address space has, as far as the machine showed it: the first CPU that is in an address space tells. Nothing
//! here judges anything.

use machine::{Bus, Frame};
use oracle::vocabulary::{MmSlot, Mode, Named, Operation, Outcome, Root, SLOTS, Sort, Use};

/// The address space that a call has its CPU load, if it has it load one: what a caller does in an address space, it does as a
/// thread of it.
pub fn loads(operation: &Operation) -> Option<Root> {
    if let Operation::SwitchMm { to } = *operation {
        return Some(to);
    }
    let mut loads = None;
    operation.each_use(|Use { named, mode }| {
        if let (Named::Thing(Sort::Mm, slot), Mode::Uses(_)) = (named, mode) {
            loads = Some(Root::Mm(MmSlot::new(slot)));
        }
    });
    loads
}

/// The address space that a call ends.
pub fn ends(operation: &Operation) -> Option<MmSlot> {
    let mut ends = None;
    operation.each_use(|Use { named, mode }| {
        if let (Named::Thing(Sort::Mm, slot), Mode::Ends(_)) = (named, mode) {
            ends = Some(MmSlot::new(slot));
        }
    });
    ends
}

/// The roots that are known.
#[derive(Debug, Default)]
pub struct Roots {
    of: [Option<Frame>; SLOTS as usize],
    any: bool,
}

impl Roots {
    /// None is known.
    pub fn clear(&mut self) {
        if self.any {
            *self = Self::default();
        }
    }

    /// A call begins. Before one that drops an address space returns, another may have its root.
    pub fn begins(&mut self, operation: &Operation) {
        if let Some(mm) = ends(operation) {
            self.of[mm.index()] = None;
        }
    }

    /// A call on a CPU returned.
    pub fn ends(&mut self, bus: &Bus, cpu: u8, operation: &Operation, outcome: Outcome) {
        if cpu < bus.cpus()
            && outcome != Outcome::Void
            && let Some(Root::Mm(mm)) = loads(operation)
        {
            self.any = true;
            self.of[mm.index()].get_or_insert(bus.core(cpu).cr3().root);
        }
    }

    /// The root of an address space.
    pub const fn of(&self, mm: MmSlot) -> Option<Frame> {
        self.of[mm.index()]
    }

    /// Every address space whose root is known, with that.
    pub fn known(&self) -> impl Iterator<Item = (MmSlot, Frame)> {
        let slots = (0..SLOTS).map(MmSlot::new).take(if self.any { usize::from(SLOTS) } else { 0 });
        slots.zip(&self.of).filter_map(|(mm, root)| Some((mm, (*root)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{machine, table};
    use machine::paging::LEVELS;
    use oracle::vocabulary::UserPage;

    #[test]
    fn a_thread_loads_its_address_space_and_a_drop_loads_none() {
        let mm = MmSlot::new(2);
        assert_eq!(loads(&Operation::Load { at: UserPage { mm, page: 1 } }), Some(Root::Mm(mm)));
        assert_eq!(loads(&Operation::SwitchMm { to: Root::Init }), Some(Root::Init));
        assert_eq!(loads(&Operation::DropMm { mm }), None);
        assert_eq!(loads(&Operation::DrainAliases {}), None);
        assert_eq!(ends(&Operation::DropMm { mm }), Some(mm));
        assert_eq!(ends(&Operation::NewMm { mm }), None);
    }

    #[test]
    fn a_root_is_known_from_the_first_thread_on_until_it_is_dropped() {
        let (machine, mm) = (machine(1), MmSlot::new(0));
        let (mut roots, load) = (Roots::default(), Operation::Load { at: UserPage { mm, page: 0 } });
        roots.ends(machine.bus(), 0, &load, Outcome::Void);
        assert_eq!(roots.of(mm), None, "it came to nothing");
        roots.ends(machine.bus(), 0, &load, Outcome::Fault);
        assert_eq!(roots.known().collect::<Vec<_>>(), [(mm, table(LEVELS))]);
        roots.begins(&Operation::DropMm { mm });
        assert_eq!(roots.of(mm), None);
    }
}
