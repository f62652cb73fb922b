//! Reads and writes, by CPUs and by devices, and what they do to the word of the page. A void access must leave the set of
//! possible tokens alone; a void write takes the page out of the comparison between backends.

use crate::contents::Home;
use crate::vocabulary::{Mapping, Named, Outcome, Place, Token};

use super::{Flight, Reference};

impl Reference {
    pub(super) fn begin_read(&mut self, cpu: usize, place: Place, void: bool) {
        let page = self.home(place);
        if !void {
            self.contents.begin_read(cpu, page);
        }
    }

    pub(super) fn begin_write(&mut self, cpu: usize, place: Place, token: Token, void: bool) {
        let page = self.home(place);
        if void {
            self.contents.skip(page);
        } else {
            self.contents.begin_write(cpu, page, token);
        }
    }

    /// Where the word of the accessed page is.
    fn home(&self, place: Place) -> Home {
        let Named::Thing(sort, slot) = place.mapping.named() else { unreachable!("a mapping is a thing") };
        let thing = self.things.get(sort, slot);
        if let Mapping::Area(area) = place.mapping
            && place.page < thing.own_pages()
        {
            return Home::owned(area, place.page);
        }
        let page = thing.pages().as_slice().get(usize::from(place.page));
        (*page.unwrap_or_else(|| panic!("the story accesses {place}, behind the end of the mapping"))).into()
    }

    pub(super) fn end_read(&mut self, cpu: usize, flight: &Flight) {
        if !flight.void {
            self.contents.end_read(cpu);
        }
    }

    pub(super) fn end_write(&mut self, cpu: usize, flight: &Flight, outcome: Outcome) {
        match outcome {
            _ if flight.void => {}
            Outcome::Fault => self.contents.abandon_write(cpu),
            _ => self.contents.end_write(cpu, true),
        }
    }
}
