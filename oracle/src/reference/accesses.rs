//! Reads and writes, by CPUs and by devices: which page they are about, and what begins and ends there. An access that is void
//! must never touch what the page may hold, except that a write nobody tried leaves it out of the comparison.

use crate::contents::Home;
use crate::vocabulary::{BufferSlot, Mapping, Operation, Outcome, Place, Token};

use super::{Flight, Reference};

/// Where an operation accesses a page.
pub(super) fn accessed(operation: &Operation) -> Option<Place> {
    match operation {
        Operation::Read { place } | Operation::Write { place, .. } => Some(*place),
        Operation::Owned(owned) => owned.place(),
        _ => None,
    }
}

/// The place in a mapping that a device reaches by its bus address.
pub(super) const fn place_in(buffer: BufferSlot, page: u8) -> Place {
    Place { mapping: Mapping::Buffer(buffer), page }
}

impl Reference {
    pub(super) fn begin_read(&mut self, cpu: usize, place: Place, void: bool) {
        let page = self.begin_access(place);
        if !void {
            self.contents.begin_read(cpu, page);
        }
    }

    pub(super) fn begin_write(&mut self, cpu: usize, place: Place, token: Token, void: bool) {
        let page = self.begin_access(place);
        if void {
            self.contents.skip(page);
        } else {
            self.contents.begin_write(cpu, page, token);
        }
    }

    /// The page that is accessed.
    pub(super) fn begin_access(&mut self, place: Place) -> Home {
        let entry = self.mappings.get_mut(place.mapping);
        entry.handle.must_be_present(place);
        entry.accesses += 1;
        if let Mapping::Area(area) = place.mapping
            && place.page < entry.owned
        {
            return Home::owned(area, place.page);
        }
        let page = entry.pages.as_slice().get(usize::from(place.page));
        (*page.unwrap_or_else(|| panic!("the story accesses {place}, behind the end of the mapping"))).into()
    }

    pub(super) fn end_write(&mut self, cpu: usize, flight: &Flight, mapping: Mapping, outcome: Outcome) {
        self.mappings.get_mut(mapping).accesses -= 1;
        match outcome {
            _ if flight.void => {}
            Outcome::Fault => self.contents.abandon_write(cpu),
            _ => self.contents.end_write(cpu),
        }
    }

    pub(super) fn end_read(&mut self, cpu: usize, flight: &Flight, mapping: Mapping) {
        self.mappings.get_mut(mapping).accesses -= 1;
        if !flight.void {
            self.contents.end_read(cpu);
        }
    }
}
