//! Areas that own their pages: what begins and ends with them, and what they allow meanwhile.

use crate::contents::Home;
use crate::mappings::bit;
use crate::vocabulary::{Access, Mapping, Outcome, Owned, PageList};

use super::accesses::accessed;
use super::{Flight, Reference};

/// The mapping that an operation on an area that owns its pages is about.
pub(super) fn subject(owned: Owned) -> Mapping {
    match owned {
        Owned::Vmalloc { area, .. }
        | Owned::SetMemory { area, .. }
        | Owned::SetMemoryType { area, .. }
        | Owned::Vfree { area } => Mapping::Area(area),
        Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. } => {
            place.mapping
        }
    }
}

impl Reference {
    pub(super) fn take_owned(&mut self, cpu: usize, owned: Owned, void: bool) {
        match owned {
            Owned::Vmalloc { count, area, .. } => {
                assert!(count > 0, "the story maps no pages into {area}");
                let entry = self.mappings.get_mut(Mapping::Area(area));
                entry.handle.come(area);
                (entry.pages, entry.owned) = (PageList::new([]), count);
                entry.allowed = bit(Access::ReadWrite);
            }
            Owned::SetMemory { area, access } => {
                let mapping = Mapping::Area(area);
                let entry = self.mappings.get_mut(mapping);
                entry.handle.must_be_present(area);
                assert!(entry.owned > 0, "the story changes the permissions of {area}, which owns no pages");
                // Whoever accesses it meanwhile may meet either.
                entry.allowed |= bit(access);
                entry.accesses += 1;
                for flight in &mut self.flights {
                    if flight
                        .call
                        .and_then(|call| accessed(&call.operation))
                        .is_some_and(|at| at.mapping == mapping)
                    {
                        flight.allowed |= bit(access);
                    }
                }
            }
            Owned::SetMemoryType { area, .. } => {
                let entry = self.mappings.get_mut(Mapping::Area(area));
                entry.handle.must_be_present(area);
                assert!(entry.owned > 0, "the story changes the memory type of {area}, which owns no pages");
                entry.accesses += 1;
            }
            Owned::Vfree { area } => {
                assert!(
                    self.mappings.get(Mapping::Area(area)).owned > 0,
                    "the story frees {area}, which owns no pages"
                );
                self.begin_unmap(Mapping::Area(area));
            }
            Owned::Exec { place } => drop(self.begin_access(place)),
            Owned::ReadDirect { place } => self.begin_read(cpu, place, void),
            Owned::WriteDirect { place, token } => self.begin_write(cpu, place, token, void),
        }
    }

    pub(super) fn release_owned(&mut self, cpu: usize, flight: &Flight, owned: Owned, outcome: Outcome) {
        match owned {
            Owned::Vmalloc { count, area, .. } => {
                self.end_map(Mapping::Area(area), outcome);
                if matches!(outcome, Outcome::Mapped(_)) {
                    (0..count).for_each(|page| self.contents.zero(Home::owned(area, page)));
                }
            }
            Owned::SetMemory { area, access } => {
                let entry = self.mappings.get_mut(Mapping::Area(area));
                entry.accesses -= 1;
                entry.allowed = bit(access);
            }
            Owned::Vfree { area } => {
                let count = self.mappings.get(Mapping::Area(area)).owned;
                self.end_unmap(Mapping::Area(area));
                (0..count).for_each(|page| self.contents.vanish(Home::owned(area, page)));
            }
            Owned::SetMemoryType { area, .. } => self.mappings.get_mut(Mapping::Area(area)).accesses -= 1,
            Owned::Exec { place } => self.mappings.get_mut(place.mapping).accesses -= 1,
            Owned::ReadDirect { place } => self.end_read(cpu, flight, place.mapping),
            Owned::WriteDirect { place, .. } => self.end_write(cpu, flight, place.mapping, outcome),
        }
    }
}
